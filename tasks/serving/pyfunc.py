"""The registered model, as MLflow loads it: a table of files' bytes in, a table of answers out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks.common.errors import DecodeError
from tasks.serving.classifier import Classifier

CHUNK = 32


class ImageClassifier:
    """Scores image files (PNG, JPEG, TIFF, BMP, DICOM).

    Input: a table with the column `image`, the bytes of a file, and optionally `frame`, which of a
    file's several frames is meant, -1 for the default one. Output: see `Classifier.answer`.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer each row; `params` may name a class to `explain`.

        Raises:
            DecodeError: a file cannot be read; the error names its row.
            ParameterError: there is no such class to explain.
        """
        explain = (params or {}).get("explain", "")
        parts = [
            self.classifier.answer(self._pixels(table.iloc[start : start + CHUNK]), explain)
            for start in range(0, len(table), CHUNK)
        ]
        return pd.concat(parts, ignore_index=True)

    def _pixels(self, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.uint8]]:
        frames = rows["frame"] if "frame" in rows else [-1] * len(rows)
        images = []
        for number, content, frame in zip(rows.index, rows["image"], frames, strict=True):
            try:
                images.append(self.classifier.pixels(content, None if frame < 0 else int(frame)))
            except DecodeError as error:
                raise DecodeError(f"image {number}: {error}") from None
        return np.stack(images)


def _load_pyfunc(folder: str) -> ImageClassifier:
    """What MLflow calls with the folder of the ONNX files."""
    return ImageClassifier(Classifier(Path(folder)))
