"""File bytes to what the network takes: the one function for training and for serving.

Its result depends on the bytes and the settings alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2

from tasks.common.errors import DecodeError
from tasks.imaging import dicom
from tasks.imaging.decoding import decode
from tasks.imaging.formats import sniff
from tasks.imaging.jpeg import decode_reduced
from tasks.imaging.levels import Pixels
from tasks.imaging.refusal import refusing
from tasks.imaging.resizing import centred, filled, resize

if TYPE_CHECKING:
    from tasks.common.params.pixels import PixelSettings

COLOR_TOLERANCE = 10  # of 255 between two channels: what JPEG makes of grey stays below


class Prepared(NamedTuple):
    """A prepared image.

    Attributes:
        pixels: `(H, W, C)` uint8 of `preprocess.size`; C is 1 for grey and 3 for RGB.
        height: of the original, in pixels.
        width: of the original, in pixels.
        colored: whether the original shows colours, which grey loses.
    """

    pixels: Pixels
    height: int
    width: int
    colored: bool


def prepare(content: bytes, settings: PixelSettings, frame: int | None = None) -> Prepared:
    """Decode one PNG, JPEG, TIFF, BMP or DICOM file and bring it to size and colour.

    Args:
        content: the file's bytes.
        settings: what the pixels depend on.
        frame: of a file with several images, the middle one by default.

    Raises:
        DecodeError: it cannot be read or shows nothing; the reason identifies nobody.
        MemoryError: there is not enough for it here.
    """
    with refusing("picture"):
        return _prepare(content, settings, frame)


def _prepare(content: bytes, settings: PixelSettings, frame: int | None) -> Prepared:
    kind = sniff(content)
    small = decode_reduced(content, settings.size) if kind == "jpeg" and not frame else None
    if small is not None:
        image, shape = small.pixels, small.shape
        size = filled(shape, settings.size, settings.fit)
        pixels = small.fitted(_channels(image, settings.color), size)
    else:
        window = settings.window
        image = dicom.decode(content, window, frame) if kind == "dicom" else decode(content, frame)
        shape = image.shape[0], image.shape[1]
        size = filled(shape, settings.size, settings.fit)
        pixels = resize(_channels(image, settings.color), *size)
    low, high, _, _ = cv2.minMaxLoc(pixels.reshape(-1))
    if low == high:
        raise DecodeError("no contrast: every pixel has the same value")
    whole = centred(pixels, settings.size).reshape(*settings.size, -1)
    return Prepared(whole, *shape, _is_colored(image))


def _channels(image: Pixels, color: str) -> Pixels:
    if color == "grey":
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def _is_colored(image: Pixels) -> bool:
    if image.ndim == 2:
        return False
    red, green, blue = cv2.split(image)
    apart = max(cv2.norm(red, green, cv2.NORM_INF), cv2.norm(green, blue, cv2.NORM_INF))
    return bool(apart > COLOR_TOLERANCE)
