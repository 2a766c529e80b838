import sys

import numpy as np
import pytest

from benchmarks import verify
from tasks.imaging import verification
from tasks.networks import pass_files


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setenv("MEDLOOP_STATE", "restored after the test")
    monkeypatch.setattr(sys, "argv", ["verify", "--gigabytes", "0.001"])


def test_both_kinds_are_measured_beside_the_reference(monkeypatch, capsys):
    monkeypatch.setattr(verify, "GOAL", 1e9)
    with pytest.raises(SystemExit) as ended:
        verify.main()
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["pack", "activations", "RESULT"]
    assert said.endswith("goal 1e+09\n")


def test_all_bytes_are_read_each_time(monkeypatch):
    read, hashed = [], []
    content, hash_of = verification._content, pass_files._hash
    monkeypatch.setattr(verification, "_content", lambda *a: read.append(a[1]) or content(*a))
    monkeypatch.setattr(pass_files, "_hash", lambda *a: hashed.append(a[2]) or hash_of(*a))
    with pytest.raises(SystemExit) as ended:
        verify.main()
    assert sum(read) == verify.ROUNDS * (10**6 // verify.SIDE**2) * verify.SIDE**2
    assert sum(hashed) == verify.ROUNDS * (10**6 // (2 * verify.FEATURES))
    assert ended.value.code in (0, 1)


def test_damage_ends_it(monkeypatch, tmp_path):
    file = tmp_path / "pixels.npy"
    digests = verify.make_pixels(file, 2e5)
    images = np.load(file)
    images[1, 5, 5] ^= 1
    np.save(file, images)
    assert verification.damaged_rows(file, digests).tolist() == [1]
