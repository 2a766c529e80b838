"""The registered model: the bytes of image files in, scores and predictions out.

MLflow runs this file as it stands ("models from code"), beside a copy of the modules that it
imports (`package.py`), so a version keeps the preprocessing that it was trained with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from tasks.common import labels
from tasks.common.documents import read_json
from tasks.common.errors import DecodeError, RegistryError
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.imaging import preparation
from tasks.statistics.operating_point import OperatingPoint

CHUNK = 32


class ImageClassifier(PythonModel):
    """Scores image files (PNG, JPEG, TIFF, BMP, DICOM).

    Input: a table with the column `image`, the bytes of a file, and optionally `frame`, which of a
    file's several frames is meant, -1 for the default one. Output: `prediction`, the class (in a
    multi-label task classes joined by `|`), and a column `score_<class>` per output of the network.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load network, parameters and operating point.

        Raises:
            RegistryError: the process has already imported another copy of the project.
        """
        files = {name: Path(path) for name, path in context.artifacts.items()}
        _hold_to_packaged_code(files["model"].parent.parent / "code")
        from tasks.networks import files as network_files

        settings = read_json(files["settings"])
        self._task = Task.model_validate(settings["task"])
        self._preprocess = PixelSettings.model_validate(settings["preprocess"])
        point = read_json(files["operating_point"])
        self._operating_point = OperatingPoint(**point)
        self._network = network_files.load(files["model"])
        self._network.jit_compile = False  # it would compile anew for every number of images

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Score each row."""
        chunks = [
            self._score(model_input.iloc[start : start + CHUNK])
            for start in range(0, len(model_input), CHUNK)
        ]
        return self._answer(np.concatenate(chunks))

    def _score(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        frames = rows["frame"] if "frame" in rows else [-1] * len(rows)
        images = [
            self._pixels(number, content, None if frame < 0 else int(frame))
            for number, content, frame in zip(rows.index, rows["image"], frames, strict=True)
        ]
        return np.asarray(self._network.predict_on_batch(np.stack(images)))

    def _pixels(self, number: Any, content: bytes, frame: int | None) -> np.ndarray[Any, Any]:
        try:
            return preparation.prepare(content, self._preprocess, frame).pixels
        except DecodeError as error:
            raise DecodeError(f"image {number}: {error}") from None

    def _answer(self, scores: np.ndarray[Any, Any]) -> pd.DataFrame:
        kind, classes = self._task.kind, self._task.names
        columns = labels.scored(kind, classes)
        chosen = self._operating_point.predict(scores)
        answer = pd.DataFrame({"prediction": [_name(kind, classes, row) for row in chosen]})
        for k, name in enumerate(columns):
            answer[f"score_{name}"] = scores[:, k].astype(float)
        return answer


def _name(kind: str, classes: list[str], chosen: np.ndarray[Any, Any]) -> str:
    if kind == "binary":
        return classes[int(chosen[0])]
    names = [name for name, flag in zip(classes, chosen, strict=True) if flag]
    return labels.SEPARATOR.join(names)


def _hold_to_packaged_code(packaged: Path) -> None:
    """A version must never run on another version's preprocessing."""
    used = Path(preparation.__file__).resolve()
    if not used.is_relative_to(packaged.resolve()):
        raise RegistryError(
            f"required: the model's own code in {packaged}; received: {used}, imported earlier in "
            "this process. Load the model in a process of its own, with no other copy of the "
            "project on its path"
        )


set_model(ImageClassifier())
