from __future__ import annotations

import cv2
import numpy as np

from tasks.pictures import charts

EPOCHS = np.arange(1.0, 6.0)
LOSS = {"epoch": EPOCHS, "loss": 1 / EPOCHS, "val_loss": 1.2 / EPOCHS}


def test_a_history_has_a_chart_of_what_it_holds():
    assert list(charts.history(LOSS, kept=3)) == ["loss"]
    assert list(charts.history(LOSS | {"val_auroc": 1 - 0.2 / EPOCHS}, 3)) == ["loss", "auroc"]


def test_the_kept_epoch_is_marked():
    assert charts.history(LOSS, kept=3) != charts.history(LOSS, kept=None)
    assert charts.history(LOSS, kept=3) == charts.history(LOSS, kept=3)


def test_several_panels_are_pictures_of_their_own_as_narrow_as_a_telephone(tmp_path):
    """At 390 pixels letters shrink by as much as a picture is wider."""
    step = {"value": 0.9, "low": 0.8, "high": 1.0}
    steps = {"1": {"auroc": step, "changed": step}}
    charts.robustness(
        tmp_path / "robustness.png", {"auroc": step, **dict.fromkeys(charts.WORSE, steps)}
    )
    drawn = charts.files(tmp_path / "robustness.png")
    assert len(drawn) == 3
    for file in drawn:
        assert decode(file.read_bytes()).shape[1] <= 4.6 * 144


def test_panels_are_found_in_the_order_they_were_drawn_in(tmp_path):
    for count in (1, 11):
        expected = charts.numbered(tmp_path / f"of_{count}.png", count)
        for file in expected:
            file.touch()
        assert charts.files(tmp_path / f"of_{count}.png") == expected


def test_pictures_name_no_program_and_no_date():
    picture = charts.history(LOSS, None)["loss"]
    assert b"tEXt" not in picture
    assert b"tIME" not in picture


def decode(picture: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
