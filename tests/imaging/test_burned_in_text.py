"""Text that is part of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydicom.uid import SecondaryCaptureImageStorage
from worlds.deidentification import NAME, clean, dicom
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.imaging import burned_in_text
from tasks.imaging.burned_in_text import has_text
from tasks.imaging.deidentification import deidentify
from tasks.privacy.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(b"a key of the tests")
IDS = {"SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1"}
AT_RISK = [
    {"Modality": "US"},
    {"SOPClassUID": SecondaryCaptureImageStorage},
    {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    {"ImageType": "SCREENSHOT"},
    {"ConversionType": "WSD"},
]


def sonogram(words: str = "", **elements: object) -> bytes:
    """Speckle in a fan, with words in a corner, as DICOM in 8 bits."""
    rows, columns = np.mgrid[0:240, 0:320]
    fan = np.hypot(rows, columns - 160) < 200
    noise = np.random.default_rng(4).rayleigh(30, (240, 320))
    picture = (cv2.GaussianBlur(noise, (0, 0), 2) * fan).clip(0, 255).astype(np.uint8)
    if words:
        cv2.putText(picture, words, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    window = {"WindowCenter": 128, "WindowWidth": 256}
    return make_dicom(picture, **window, **({"Modality": "US"} | elements))


@pytest.mark.parametrize("elements", AT_RISK)
def test_kinds_at_risk_go_by_the_policy(elements):
    original = dicom(**elements)
    with pytest.raises(DecodeError, match=r"deid\.burned_in"):
        deidentify(original, PSEUDONYMS, "quarantine")
    assert deidentify(original, PSEUDONYMS, "keep").suffix == ".dcm"


def test_other_kinds_pass_under_any_policy(monkeypatch):
    monkeypatch.setattr(burned_in_text, "has_text", pytest.fail)
    for elements in ({}, {"Modality": "MR"}, {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}):
        for policy in ("quarantine", "detect", "keep"):
            assert deidentify(dicom(**elements), PSEUDONYMS, policy).suffix == ".dcm"


@pytest.mark.parametrize("policy", ["quarantine", "detect", "keep"])
def test_what_declares_it_is_refused_under_any_policy(policy):
    with pytest.raises(DecodeError, match="BurnedInAnnotation"):
        deidentify(dicom(BurnedInAnnotation="YES"), PSEUDONYMS, policy)


def test_words_are_found_and_speckle_is_none():
    assert clean(sonogram()).suffix == ".dcm"
    assert clean(sonogram("R")).suffix == ".dcm"
    with pytest.raises(DecodeError, match="text in the picture") as caught:
        clean(sonogram(NAME))
    assert NAME not in str(caught.value)


def clip(frames: int, words: str = "", at: int | None = None) -> list[np.ndarray]:
    """Speckle that lives, with words in one frame."""
    chance = np.random.default_rng(4)
    pictures = [
        cv2.GaussianBlur(chance.rayleigh(30, (240, 320)), (0, 0), 2).clip(0, 255).astype(np.uint8)
        for _ in range(frames)
    ]
    if at is not None:
        place, typeface = (90, 150), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(pictures[at], words, place, typeface, 0.5, 255, 1, cv2.LINE_AA)
    return pictures


@pytest.mark.parametrize("at", [0, 1, 17, 38, 39])
def test_a_name_in_one_frame_of_a_clip_is_found(at):
    content = make_dicom(np.stack(clip(40, NAME, at)), Modality="US")
    with pytest.raises(DecodeError, match="text in the picture"):
        clean(content)


def test_a_clip_without_a_name_passes_and_few_pictures_of_it_are_read(monkeypatch):
    read: list[np.ndarray] = []

    def reading(picture: np.ndarray) -> bool:
        read.append(picture)
        return has_text(picture)

    monkeypatch.setattr(burned_in_text, "has_text", reading)
    assert clean(make_dicom(np.stack(clip(40)), Modality="US", **IDS)).frames == 40
    assert len(read) <= 4


@pytest.mark.parametrize(("frames", "first"), [(1, [0]), (2, [0, 1]), (3, [0, 2]), (9, [0, 8])])
def test_first_and_last_frame_are_read_whole(monkeypatch, frames, first):
    read: list[int] = []
    monkeypatch.setattr(burned_in_text, "has_text", lambda picture: read.append(picture[0, 0]))
    levels = np.arange(frames, dtype=np.uint8)[:, None, None]
    content = make_dicom(np.broadcast_to(levels, (frames, 64, 64)).copy(), Modality="US", **IDS)
    clean(content)
    assert read == first


def test_every_frame_is_looked_at():
    """A name that the first frame has, and one more that comes, goes and comes again elsewhere."""
    pictures = [np.zeros((64, 96), np.uint8) for _ in range(9)]
    for at, top in ((2, 20), (3, 20), (6, 50)):
        cv2.putText(pictures[at], "LEE", (10, top), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    shown = list(burned_in_text.to_read(9, pictures.__getitem__))
    assert [picture.any() for picture in shown[:2]] == [False, False]
    (collage,) = shown[2:]
    assert np.array_equal(collage, np.maximum(pictures[2], pictures[6]))


@pytest.mark.parametrize("text", ["Wu", "R", "1 2", "王"])
def test_marks_and_depths_are_no_words(text):
    assert not burned_in_text._is_word(text)


@pytest.mark.parametrize("text", ["Lee", "12.04", "王伟"])
def test_names_and_dates_are_words(text):
    assert burned_in_text._is_word(text)


def test_colours_are_read_too():
    picture = np.zeros((200, 300, 3), np.uint8)
    cv2.putText(
        picture, NAME, (8, 90), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 200, 0), 2, cv2.LINE_AA
    )
    assert has_text(picture)
    assert not has_text(np.zeros((200, 300, 3), np.uint8))
