"""No library's exception leaves decoding as anything but the error that means quarantine."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
import pytest

from tasks.common.errors import DataError, DecodeError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import batching, preparation
from tasks.imaging.decoding import decode
from tasks.imaging.deidentification import deidentify
from tasks.imaging.preparation import prepare
from tasks.imaging.refusal import refusing
from tasks.privacy.pseudonyms import Pseudonyms

GREY = (np.mgrid[0:24, 0:24][0] * 10).astype(np.uint8)
SETTINGS = [PixelSettings(size=[16, 16], color=c, window=None) for c in ("grey", "rgb")]
READERS = {
    "decode": decode,
    "deidentify": lambda content: deidentify(content, Pseudonyms(b"a key")),
    **{f"prepare {s.color}": lambda content, s=s: prepare(content, s) for s in SETTINGS},
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("error", [ValueError("Smith"), RuntimeError("Smith"), cv2.error("Smith")])
def test_exception_of_a_library_becomes_a_reason_without_its_words(monkeypatch, read, error):
    def fail(*_, **__):
        raise error

    for module, function in ((cv2, "imdecode"), (imagecodecs, "tiff_decode")):
        monkeypatch.setattr(module, function, fail)
    content = imagecodecs.tiff_encode(GREY, photometric="minisblack")
    with pytest.raises(DecodeError, match=rf"^broken picture \({type(error).__name__}\)$"):
        read(content)


@pytest.mark.parametrize("color", SETTINGS, ids=["grey", "rgb"])
def test_what_fails_after_decoding_is_refused_too(monkeypatch, color):
    def fail(*_, **__):
        raise cv2.error("Smith")

    monkeypatch.setattr(preparation, "resize", fail)
    with pytest.raises(DecodeError, match="broken picture"):
        prepare(imagecodecs.tiff_encode(GREY), color)


def test_own_errors_keep_their_words():
    for error in (DecodeError("a reason"), DataError("another"), MemoryError("of numpy")):
        with pytest.raises(type(error), match=str(error)), refusing("picture"):
            raise error


def test_opencv_says_in_its_own_way_that_the_memory_is_full():
    full = cv2.error("Failed to allocate 10 bytes")
    full.code = cv2.Error.StsNoMem
    with pytest.raises(MemoryError), refusing("picture"):
        raise full


def test_full_memory_ends_the_stage_and_names_the_image(monkeypatch):
    """Quarantined, a good file would be lost to a machine that is busy today."""

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(batching, "prepare", fail)
    with pytest.raises(DataError, match=r"memory for the image abc-3; .*--exclude"):
        batching.prepare_batch([("abc-3", "ab/c.dcm")], {"ab/c.dcm": b""}, SETTINGS[0])


def test_reason_belongs_to_its_image():
    good = imagecodecs.tiff_encode(GREY)
    files = {"a.tiff": good, "b.tiff": b"II*\0" + bytes(40), "c.tiff": good}
    batch = [(name[0], name) for name in files]
    outcome = batching.prepare_batch(batch, files, SETTINGS[0])
    assert outcome.facts["image_id"] == ["a", "c"]
    assert outcome.reasons == {"b": "damaged TIFF: it has no page"}
