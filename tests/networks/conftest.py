"""Networks on tiny images, with a state folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from tasks.common.params.model import Model
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.task import Task
from tasks.networks.architecture import build

SIZE = 32


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A fixed seed, and nothing stored by another test. Returns the state folder."""
    keras.utils.set_random_seed(3)
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="session")
def make() -> Callable[..., keras.Model]:
    """Build a network with random weights: `make("MobileNetV2", size=32, color="grey")`."""

    def make_one(
        backbone: str = "EfficientNetLite0",
        size: int = SIZE,
        color: str = "grey",
        kind: str = "binary",
        weights: str = "none",
        pool: str = "last",
    ) -> keras.Model:
        classes = ["a", "b"] if kind == "binary" else ["a", "b", "c"]
        return build(
            Model(backbone=backbone, weights=weights, dropout=0.2, pool=pool),
            PixelSettings(size=[size, size], color=color, window=None),
            Task(kind=kind, classes=classes),
        )

    return make_one
