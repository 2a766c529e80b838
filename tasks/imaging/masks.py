"""Masks of findings: where in a picture they lie, in black and white."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DecodeError
from tasks.imaging import dicom
from tasks.imaging.decoding import decode
from tasks.imaging.formats import sniff
from tasks.imaging.refusal import refusing
from tasks.imaging.resizing import centred, filled, resize

Mask = NDArray[np.bool_]
Box = tuple[float, float, float, float]
BETWEEN = 0.05  # share of the pixels that may be neither black nor white, as lossy coding makes


def unite(contents: Iterable[bytes]) -> bytes:
    """One mask of all findings in a picture, as a PNG of 0 and 255, from files of one mask each.

    Raises:
        DecodeError: one cannot be read or is no mask, or they differ in size.
    """
    with refusing("mask"):
        masks = [_read(content) for content in contents]
    if len({mask.shape for mask in masks}) > 1:
        raise DecodeError("masks of one picture differ in size")
    whole = np.logical_or.reduce(masks)
    return _png(whole.astype(np.uint8) * 255)


def of_boxes(content: bytes, boxes: Sequence[Box]) -> bytes:
    """A mask of the picture in a file, white within boxes of left, top, right and bottom in pixels;
    what they have beyond its edges is cut off.

    Raises:
        DecodeError: the file cannot be read.
    """
    with refusing("picture"):
        whole = dicom.decode(content, None) if sniff(content) == "dicom" else decode(content)
    mask = np.zeros(whole.shape[:2], np.uint8)
    for left, top, right, bottom in boxes:
        mask[int(top) : math.ceil(bottom), int(left) : math.ceil(right)] = 255
    return _png(mask)


def prepare(
    content: bytes, original: tuple[int, int], size: tuple[int, int], fit: str
) -> Mask | None:
    """What `unite` gave, brought to `size` as its picture is by `preprocess.fit`, whose own size is
    `original`; None where it shows no finding, or is of another size than its picture.
    """
    mask = decode(content)
    if mask.shape != original or not mask.any():
        return None
    shares = centred(resize(mask, *filled(original, size, fit)), size)
    return np.asarray(shares >= min(128, int(shares.max())))  # the smallest finding keeps a pixel


def _png(mask: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", mask)[1].tobytes()


def _read(content: bytes) -> Mask:
    image = decode(content)
    levels = image.max(axis=2) if image.ndim == 3 else image
    top = max(int(levels.max()), 1)
    between = (levels > 0.1 * top) & (levels < 0.9 * top)
    if between.mean() > BETWEEN:
        raise DecodeError("a mask is to be black and white")
    return np.asarray(levels > top / 2)
