from __future__ import annotations

import cv2
import numpy as np

from tasks.pictures import charts


def test_a_history_without_auroc_has_one_panel():
    epochs = np.arange(1.0, 6.0)
    loss = {"epoch": epochs, "loss": 1 / epochs, "val_loss": 1.2 / epochs}
    both = loss | {"val_auroc": 1 - 0.2 / epochs}
    narrow, wide = (decode(charts.history(columns, kept=3)) for columns in (loss, both))
    assert abs(wide.shape[1] - 2 * narrow.shape[1]) <= 1


def test_the_kept_epoch_is_marked():
    epochs = np.arange(1.0, 6.0)
    loss = {"epoch": epochs, "loss": 1 / epochs, "val_loss": 1.2 / epochs}
    assert charts.history(loss, kept=3) != charts.history(loss, kept=None)
    assert charts.history(loss, kept=3) == charts.history(loss, kept=3)


def test_pictures_name_no_program_and_no_date():
    epochs = np.arange(1.0, 3.0)
    picture = charts.history({"epoch": epochs, "val_loss": epochs}, None)
    assert b"tEXt" not in picture
    assert b"tIME" not in picture


def decode(picture: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
