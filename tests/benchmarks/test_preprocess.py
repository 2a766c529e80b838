from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks import preprocess


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "pictures" / "class"
    folder.mkdir(parents=True)
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (40, 30), np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpeg"), picture)
    return folder.parent


def test_every_claim_is_measured(data, monkeypatch, capsys):
    tiny = [claim._replace(images=6, height=30, width=40) for claim in preprocess.CLAIMS]
    monkeypatch.setattr(preprocess, "CLAIMS", tiny)
    monkeypatch.setattr(preprocess, "TURNS", 1)
    monkeypatch.setenv("MEDLOOP_STATE", "set back at the end")
    with pytest.raises(SystemExit):
        preprocess.main([str(data)])
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith(("JPEG", "PNG"))]) == 3
    assert lines[-1].startswith("RESULT preprocess ")


def test_reference_prepares_the_same_pictures(data, workspace, monkeypatch):
    preprocess.paths.RAW.mkdir(parents=True)
    claim = preprocess.CLAIMS[0]._replace(images=4, height=300, width=400)
    images = preprocess.make(claim, preprocess.pictures(data))
    files = [str(preprocess.paths.RAW / name) for name in images["path"]]
    size = preprocess.SETTINGS.size
    np.lib.format.open_memmap(workspace / "bare.npy", "w+", np.uint8, (4, *size, 1))
    for first in range(2):
        preprocess.loop(files, workspace / "bare.npy", size, 2, first)
    bare = np.load(workspace / "bare.npy")
    monkeypatch.setenv("MEDLOOP_STATE", str(workspace / "state"))
    preprocess.stage(images, preprocess.SETTINGS, workspace / "state")
    (pack,) = (workspace / "state").glob("packs/*/*/pixels.npy")
    assert np.array_equal(np.load(pack), bare)


def test_without_pictures(tmp_path):
    with pytest.raises(SystemExit, match="required: a folder"):
        preprocess.main([str(tmp_path)])
