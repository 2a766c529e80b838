from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks import slices


@pytest.fixture
def stack(tmp_path):
    """Twelve slices of a volume in which each two neighbours share four fifths."""
    folder = tmp_path / "stack"
    folder.mkdir()
    planes = np.random.default_rng(0).uniform(0, 255, (16, 12, 12))
    for number in range(12):
        picture = planes[number : number + 5].mean(axis=0) * 3 - 255
        large = cv2.resize(np.clip(picture, 0, 255), (96, 96), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:02}.png"), np.clip(large, 0, 255).astype(np.uint8))
    return folder


def test_slices_are_like_the_nearer_they_are(stack, capsys):
    shares = slices.measure(sorted(stack.iterdir()))
    assert list(shares.index) == [1, 2, 3, 4, 5]
    assert shares["like"].is_monotonic_decreasing
    assert (shares["same"] == 0).all()
    (stack / "03.png").write_bytes((stack / "02.png").read_bytes())
    assert slices.measure(sorted(stack.iterdir()))["same"][1] == pytest.approx(1 / 11)
    with pytest.raises(SystemExit) as ended:
        slices.main([str(stack)])
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines()[-1] == "RESULT slices 0.0909 goal 0.05"


def test_one_stack_is_required(tmp_path):
    with pytest.raises(SystemExit, match=r"usage: .*the slices of one stack"):
        slices.main([str(tmp_path)])
