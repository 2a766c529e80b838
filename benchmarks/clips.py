"""Drawn ultrasound clips: a fan of speckle that lives, reflectors that move, a scale and an ECG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.imaging.levels import Pixels

HEIGHT, WIDTH = 480, 640
GRAIN = 1.2  # standard deviation of a speckle, in pixels
BRIGHTNESS = 24.0


def sonogram(frames: int, stays: float, seed: int) -> list[Pixels]:
    """Frames `(480, 640)` in grey, as a JPEG gives them back.

    Args:
        frames: how many.
        stays: correlation of the speckle of a frame with that of the one before; 0.8 is calm.
        seed: of the speckle.
    """
    chance = np.random.default_rng(seed)
    coarse = chance.uniform(0.2, 1.6, (8, 10)).astype(np.float32)
    soft = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    waves = chance.standard_normal((2, HEIGHT, WIDTH), np.float32)
    drawn = []
    for number in range(frames):
        fresh = chance.standard_normal(waves.shape, np.float32)
        waves = stays * waves + (1 - stays**2) ** 0.5 * fresh
        speckle = np.hypot(*(cv2.GaussianBlur(wave, (0, 0), GRAIN) for wave in waves))
        bright = speckle / speckle.std() * BRIGHTNESS * np.roll(soft, number // 3, axis=0)
        frame = (bright * _fan()).clip(0, 255).astype(np.uint8)
        _add_reflectors(frame, number)
        _add_scale(frame)
        _add_ecg(frame, number)
        drawn.append(_through_jpeg(frame))
    return drawn


def _fan() -> NDArray[np.bool_]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    beside = np.abs(columns - WIDTH // 2)
    return np.asarray((np.hypot(rows + 40, beside) < 0.95 * HEIGHT) & (beside < 0.9 * (rows + 60)))


def _add_reflectors(frame: Pixels, number: int) -> None:
    for k in range(3):
        radius = round(HEIGHT * (0.35 + 0.2 * k) + 100 + 12 * np.sin(number / 9 + 2 * k))
        axes = (radius, radius)
        cv2.ellipse(frame, (WIDTH // 2, -100), axes, 0, 70, 110, 200, 2, cv2.LINE_AA)


def _add_scale(frame: Pixels) -> None:
    """Depth marks, a bar of greys and the mark of a side, none of which is a word."""
    for depth in range(20, HEIGHT - 20, 24):
        cv2.line(frame, (WIDTH - 30, depth), (WIDTH - (24 if depth % 48 else 18), depth), 180, 1)
    frame[40:240, WIDTH - 16 : WIDTH - 6] = np.linspace(255, 0, 200).astype(np.uint8)[:, None]
    cv2.putText(frame, "R", (12, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2, cv2.LINE_AA)


def _add_ecg(frame: Pixels, number: int) -> None:
    """A trace that runs to the left."""
    across = np.arange(0, WIDTH, 2)
    beat = 18 * np.exp(-(((across + 7 * number) % 160 - 80) ** 2) / 40)
    drift = 4 * np.sin((across + 7 * number) / 25)
    points = np.stack([across, HEIGHT - 22 - (beat + drift).astype(int)], axis=1)
    cv2.polylines(frame, [points.reshape(-1, 1, 2).astype(np.int32)], False, 220, 1, cv2.LINE_AA)


def _through_jpeg(frame: Pixels) -> Pixels:
    coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
