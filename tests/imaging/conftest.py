from __future__ import annotations

import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
import pytest

from tasks.common import paths
from tasks.imaging import batching
from tasks.imaging.preparation import prepare


@pytest.fixture
def ramp() -> np.ndarray:
    """Hounsfield-like values from -1024 to 3071, each twice: `(64, 128)` int16."""
    return np.repeat(np.arange(-1024, 3072, dtype=np.int16), 2).reshape(64, 128)


@pytest.fixture
def photo() -> np.ndarray:
    """A smooth picture with one bright corner, `(40, 30, 3)` uint8 RGB."""
    rows, columns = np.mgrid[0:40, 0:30]
    picture = np.stack([rows * 4, columns * 5, rows + columns], axis=-1).astype(np.uint8)
    picture[:10, :10] = (250, 40, 30)
    return picture


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Bytes of a grey or RGB picture, by OpenCV."""

    def encoded(suffix: str, picture: np.ndarray) -> bytes:
        if picture.ndim == 3:
            swap = cv2.COLOR_RGB2BGR if picture.shape[-1] == 3 else cv2.COLOR_RGBA2BGRA
            picture = cv2.cvtColor(picture, swap)
        done, content = cv2.imencode(suffix, picture)
        assert done
        return bytes(content)

    return encoded


@pytest.fixture
def files(workspace):
    """Write pictures under data/raw and list them; `broken` ones are no pictures."""

    def make(numbers, broken=()):
        rows = []
        paths.RAW.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            image_id = hashlib.sha256(str(number).encode()).hexdigest()
            pixels = np.random.default_rng(number).integers(0, 255, (30, 40), np.uint8)
            content = b"broken" if number in broken else cv2.imencode(".png", pixels)[1].tobytes()
            (paths.RAW / f"{image_id}.png").write_bytes(content)
            rows.append({"image_id": image_id, "path": f"{image_id}.png"})
        return pd.DataFrame(rows)

    return make


@pytest.fixture
def decoded(monkeypatch):
    """Every file that is really decoded, by its bytes."""
    seen = []

    def counting(content, settings, frame=None):
        seen.append(content)
        return prepare(content, settings, frame)

    monkeypatch.setattr(batching, "prepare", counting)
    return seen
