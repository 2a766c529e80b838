"""Text that is part of the picture, such as the patient's name in a corner of an ultrasound.

No header says where it is, and nothing here paints over it: such a file is refused. Kinds at risk
are those that PS3.15 E.3.1 warns of (ultrasound, secondary capture, screens and scanned paper), by
what filters of archives go by: modality, kind of object, image type and conversion type. Cameras
and endoscopes write names as ultrasound does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Literal

import cv2
from pydicom import Dataset

from tasks.common.errors import DecodeError
from tasks.imaging import dicom
from tasks.imaging.collages import collages
from tasks.imaging.elements import frame_count
from tasks.imaging.levels import Pixels
from tasks.imaging.strokes import Box, new_places

BurnedIn = Literal["detect", "quarantine", "keep"]

# Ultrasound, in vessels and of bone too; densitometry, whose pictures are reports; cameras on
# endoscopes, eyes, microscopes and people; paper, film and whatever was captured.
MODALITIES = {"US", "IVUS", "BDUS", "BMD", "ES", "OP", "GM", "XC", "DOC", "DG", "HC", "OT", "SC"}
STORAGE = "1.2.840.10008.5.1.4.1.1."
# Ultrasound, secondary capture, and visible light but for microscopy of whole slides.
KINDS = re.compile(re.escape(STORAGE) + r"(3(\.1)?|6(\.[12])?|7(\.[1-4])?|77\.1\.(1|2|4|5)(\..*)?)")
SCREEN = re.compile(r"SCREEN|SAVE|CAPTURE")

# What counts as a word; shorter is R or L, or a depth. Chinese names have two characters.
LEAST_SCORE, LETTERS, IDEOGRAPHS = 0.6, 3, 2
FIRST_IDEOGRAPH = "\u2e80"


def refuse_text(dataset: Dataset, policy: BurnedIn) -> bool:
    """Refuse a DICOM file whose pixels may identify.

    Args:
        dataset: what `elements.read` gives of it.
        policy: of kinds at risk refuse all (`quarantine`), those in which text is found (`detect`),
            or none (`keep`). What says of itself that it is so is always refused.

    Returns:
        Whether it has decoded every frame on the way.

    Raises:
        DecodeError: so it is.
    """
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        raise DecodeError("BurnedInAnnotation is YES: the pixels themselves may identify")
    if policy == "keep" or not is_at_risk(dataset):
        return False
    if policy == "quarantine":
        raise DecodeError("a kind of image that often carries names (deid.burned_in: quarantine)")
    frames = to_read(frame_count(dataset), lambda frame: dicom.shown(dataset, None, frame))
    if any(has_text(picture) for picture in frames):
        raise DecodeError("text in the picture, which may name somebody (deid.burned_in)")
    return True


def to_read(frames: int, show: Callable[[int], Pixels]) -> Iterator[Pixels]:
    """Of a file of `frames`, which `show` gives by number: the first and the last, and what is new
    in each of those between, over the middle one. A name may stand in one of them alone.
    """
    yield show(0)
    if frames > 1:
        yield show(frames - 1)
    if frames > 2:
        between = _views(show(0), (show(frame) for frame in range(1, frames - 1)))
        yield from collages(show(frames // 2), between)


def _views(before: Pixels, frames: Iterable[Pixels]) -> Iterator[tuple[Pixels, list[Box]]]:
    """Each frame, and where it may show text that the one before did not."""
    for frame in frames:
        yield frame, new_places(frame, before)
        before = frame


def is_at_risk(dataset: Dataset) -> bool:
    """Whether the header speaks of a kind of image into which devices and people write."""
    types = dataset.get("ImageType") or ""
    types = [types] if isinstance(types, str) else types
    return (
        str(dataset.get("Modality") or "").strip().upper() in MODALITIES
        or KINDS.fullmatch(str(dataset.get("SOPClassUID") or "")) is not None
        or any(SCREEN.search(str(value).upper()) for value in types)
        or bool(dataset.get("ConversionType"))
    )


def has_text(pixels: Pixels) -> bool:
    """Whether words stand in a picture `(H, W)` or `(H, W, 3)` RGB."""
    picture = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    found = _reader()(picture)
    read = zip(found.txts or (), found.scores or (), strict=True)
    return any(score >= LEAST_SCORE and _is_word(text) for text, score in read)


def _is_word(text: str) -> bool:
    letters = sum(letter.isalnum() for letter in text)
    ideographs = sum(letter.isalnum() and letter >= FIRST_IDEOGRAPH for letter in text)
    return letters >= LETTERS or ideographs >= IDEOGRAPHS


@cache
def _reader() -> Any:
    """PP-OCR's detector and recogniser, whose models lie in the package.

    The detector alone takes edges of bones for text, so it is asked for all that it sees and what
    cannot be read as letters does not count.
    """
    from rapidocr import RapidOCR  # takes seconds and half a gigabyte of memory

    return RapidOCR(
        params={
            "Det.box_thresh": 0.3,
            "Global.use_cls": False,
            "Global.text_score": LEAST_SCORE,
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 2,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
