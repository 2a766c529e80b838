"""A version on disk, ready to answer: for whoever scores many files without MLflow in between."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import RegistryError
from tasks.registry import model_versions

if TYPE_CHECKING:
    from tasks.serving.classifier import Classifier


def load(package: Path, threads: int = 0) -> Classifier:
    """The classifier of a version that `model_versions.unpack` copied, run by its own code: its
    `pixels` takes a file's bytes, its `answer` a batch of pixels. Many of them live in one process.

    Args:
        package: the folder.
        threads: of one answer; 0 are as many as there are cores.

    Raises:
        RegistryError: it is of before packages.
    """
    try:
        serving, code, loader = model_versions.loads(package)
    except KeyError:
        raise RegistryError(
            "required: a version that is an ONNX package; received: one of before, which needs "
            "TensorFlow. `dvc repro && python -m tasks.register` makes a version of today"
        ) from None
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    made: Classifier = importlib.import_module(loader).Classifier(serving, threads)
    return made
