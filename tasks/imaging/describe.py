"""What the tables say about a prepared image."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from tasks.imaging.levels import Pixels


def intensities(pixels: Pixels) -> dict[str, float]:
    """Mean, standard deviation, minimum and maximum of `(H, W, C)` pixels."""
    values = pixels.reshape(len(pixels), -1)
    mean, std = cv2.meanStdDev(values)
    low, high, _, _ = cv2.minMaxLoc(values)
    return {"mean": float(mean[0, 0]), "std": float(std[0, 0]), "min": low, "max": high}


def digest(pixels: Pixels) -> str:
    """sha256 of `(H, W, C)` pixels."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def perceptual_hash(pixels: Pixels) -> str:
    """64 bits, hexadecimal, that stay much the same when an image is scaled, coded anew or made
    brighter: which of the 8 x 8 lowest frequencies exceed their median (Zauner 2010, "pHash").
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[-1] == 3 else pixels[..., 0]
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:8, :8]
    ordered = np.sort(lowest, axis=None)
    median = (ordered[31] + ordered[32]) / 2  # np.median takes ten times as long
    return np.packbits(lowest > median).tobytes().hex()
