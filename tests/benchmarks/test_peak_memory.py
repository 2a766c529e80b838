from __future__ import annotations

import pytest

from benchmarks import peak_memory
from benchmarks.peak_memory import KINDS, make, measure, picture
from tasks.imaging import limits


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_that_is_prepared(kind, tmp_path):
    make(kind, 0.0001, tmp_path / "picture")
    peak, outcome = measure(kind, tmp_path / "picture")
    assert outcome == "prepared"
    assert 0.05 < peak < 5


@pytest.mark.parametrize(("dtype", "samples"), [("u1", 1), ("u2", 1), ("u2", 4), ("f8", 1)])
def test_pictures_are_as_large_as_the_limits_allow(dtype, samples):
    small = picture(0.0001, dtype, samples)
    pixels, size = small.shape[0] * small.shape[1] * 10_000, small.nbytes * 10_000
    reached = max(pixels / limits.MOST_PIXELS, size / limits.MOST_BYTES)
    assert 0.9 < reached <= 1


def test_what_is_refused_or_takes_too_much_misses_the_goal(capsys, monkeypatch):
    monkeypatch.setattr(peak_memory, "KINDS", {"PNG, 8-bit grey": KINDS["PNG, 8-bit grey"]})
    for goal, code in ((4.0, 0), (0.01, 1)):
        monkeypatch.setattr(peak_memory, "GOAL", goal)
        with pytest.raises(SystemExit) as ended:
            peak_memory.main(0.0001)
        assert ended.value.code == code
    assert "prepared" in capsys.readouterr().out
