"""The classifier that serves: the bytes of image files in, answers out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.common import labels
from tasks.common.errors import ParameterError
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.imaging.preparation import prepare
from tasks.serving import probe, settings
from tasks.serving.session import Floats, Session
from tasks.statistics.questions import answer_names, by_answer

Pixels = NDArray[np.uint8]


class Classifier:
    """What a folder of `models/serving` answers. Holds no state between calls."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        """Load the file that serves, or the float one where int8 answers otherwise here.

        Args:
            folder: as the stage `compress` leaves it.
            threads: of one answer; 0 are as many as there are cores.
        """
        known = settings.read(folder)
        self.task = Task.model_validate(known.task)
        self.preprocess = PixelSettings.model_validate(known.preprocess)
        self.file, self._session = self._open(folder, known, threads)
        self._fitted = known.files[self.file]

    def _open(self, folder: Path, known: settings.Settings, threads: int) -> tuple[str, Session]:
        session = Session(folder / known.serves, threads)
        channels = 1 if self.preprocess.color == "grey" else 3
        height, width = self.preprocess.size
        made = probe.images(height, width, channels)
        if known.serves == settings.FLOAT or probe.agrees(
            session, made, known.files[known.serves].fingerprint
        ):
            return known.serves, session
        logging.getLogger(__name__).warning(
            "%s answers otherwise on this processor, so %s serves", known.serves, settings.FLOAT
        )
        return settings.FLOAT, Session(folder / settings.FLOAT, threads)

    def pixels(self, content: bytes, frame: int | None = None) -> Pixels:
        """A file's pixels `(H, W, C)`, as in training.

        Args:
            content: of a PNG, JPEG, TIFF, BMP or DICOM file.
            frame: of a file with several images, the middle one by default.

        Raises:
            DecodeError: it cannot be read or shows nothing; the reason identifies nobody.
        """
        return prepare(content, self.preprocess, frame).pixels

    def answer(self, pixels: Pixels, explain: str = "") -> pd.DataFrame:
        """Answers to `(N, H, W, C)` pixels, a row each.

        Args:
            pixels: of `pixels`.
            explain: the class whose evidence is wanted, none by default.

        Returns:
            `prediction`, the class at the operating point (in a multi-label task classes joined by
            `|`); `score_<class>` per output, calibrated; `conformal_set`, the answers that the
            scores leave open, joined by `|`; with `explain` `heatmap`, rows of [0, 1].

        Raises:
            ParameterError: the task has no class to explain of that name.
        """
        if not explain:
            return self._table(self._session.scores(pixels))
        scores, maps = self._session.heatmaps(pixels, *self._output(explain))
        return self._table(scores).assign(heatmap=maps.tolist())

    def _output(self, name: str) -> tuple[int, bool]:
        """The output that speaks of a class, and whether by being low."""
        outputs = labels.scored(self.task.kind, self.task.names)
        if name in outputs:
            return outputs.index(name), False
        if name in self.task.names:
            return 0, True
        raise ParameterError(
            f"required: a class to explain, one of {', '.join(self.task.names)}; received: {name!r}"
        )

    def _table(self, scores: Floats) -> pd.DataFrame:
        kind, classes = self.task.kind, self.task.names
        given = scores.astype(float)
        chosen = self._fitted.point.predict(given)
        table = pd.DataFrame({"prediction": [_name(kind, classes, row) for row in chosen]})
        for name, column in zip(labels.scored(kind, classes), given.T, strict=True):
            table[f"score_{name}"] = column
        table["conformal_set"] = self._sets(given)
        return table

    def _sets(self, scores: NDArray[np.float64]) -> list[str]:
        kind, classes = self.task.kind, self.task.names
        names = [name for question in answer_names(kind, classes) for name in question]
        least = [self._fitted.least_scores[name] for name in names]
        held = by_answer(kind, scores).reshape(len(scores), -1) >= least
        return [_joined(names, row) for row in held]


def _name(kind: str, classes: Sequence[str], chosen: NDArray[np.float64]) -> str:
    return classes[int(chosen[0])] if kind == "binary" else _joined(classes, chosen)


def _joined(names: Sequence[str], flags: NDArray[np.generic]) -> str:
    return labels.SEPARATOR.join(name for name, flag in zip(names, flags, strict=True) if flag)
