"""What a file is taken for: a DICOM file may look like another kind too."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from worlds.deidentification import PSEUDONYMS, dicom, encoded

from tasks.common.errors import DecodeError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging.deidentification import deidentify
from tasks.imaging.formats import sniff
from tasks.imaging.limits import require_picture
from tasks.imaging.preparation import prepare

SETTINGS = PixelSettings(size=[16, 16], color="grey", window=[-940, 200])
PREAMBLES = {
    "tiff": b"II*\0" + struct.pack("<I", 8),
    "tiff, big": b"MM\0*" + struct.pack(">I", 8),
    "bigtiff": b"II+\0\x08\0\0\0" + struct.pack("<Q", 16),
    "png": encoded(".png"),
    "jpeg": encoded(".jpg"),
    "bmp": encoded(".bmp"),
    "bare": b"\x08\0\x05\0CS\x0a\0ISO_IR 100",
}


def with_preamble(content: bytes, preamble: bytes) -> bytes:
    return preamble[:128].ljust(128, b"\0") + content[128:]


def dual() -> bytes:
    """A file of two faces (PS3.10, 7.1): as TIFF it shows a picture that stands in its padding."""
    content = dicom()
    shown = encoded(".tiff", np.full((8, 8), 200, np.uint8) + np.eye(8, dtype=np.uint8) * 50)
    assert shown[:4] == b"II*\0"
    (directory,) = struct.unpack_from("<I", shown, 4)
    padding = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, len(shown) + len(shown) % 2)
    start = len(content) + len(padding)
    tiff, at = bytearray(shown), directory + 2
    for _ in range(*struct.unpack_from("<H", shown, directory)):
        tag, kind, count, value = struct.unpack_from("<HHII", tiff, at)
        inside = tag not in (273,) and count * {2: 1, 3: 2, 4: 4, 5: 8}.get(kind, 1) <= 4
        struct.pack_into("<I", tiff, at + 8, value if inside else value + start)
        at += 12
    head = b"II*\0" + struct.pack("<I", directory + start)
    return with_preamble(content, head) + padding + bytes(tiff).ljust(len(tiff) + len(tiff) % 2)


def test_a_file_of_two_faces_is_dicom():
    content = dual()
    as_tiff = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.unique(as_tiff).tolist() == [200, 250]
    assert sniff(content) == "dicom"
    assert np.array_equal(prepare(content, SETTINGS).pixels, prepare(dicom(), SETTINGS).pixels)


def test_of_two_faces_one_is_left():
    clean = deidentify(dual(), PSEUDONYMS)
    assert (clean.suffix, clean.attributes["modality"]) == (".dcm", "CT")
    assert clean.content[:132] == bytes(128) + b"DICM"
    assert clean.content == deidentify(dicom(), PSEUDONYMS).content
    with pytest.raises(DecodeError, match="BurnedInAnnotation"):
        deidentify(with_preamble(dicom(BurnedInAnnotation="YES"), b"II*\0"), PSEUDONYMS)


@pytest.mark.parametrize("preamble", PREAMBLES.values(), ids=PREAMBLES)
def test_no_preamble_hides_a_dicom_file(preamble):
    content = with_preamble(dicom(), preamble)
    assert sniff(content) == sniff(content[:132]) == "dicom"
    require_picture(content)
    expected = prepare(dicom(), SETTINGS).pixels
    assert np.array_equal(prepare(content, SETTINGS).pixels, expected)
    kept = deidentify(content, PSEUDONYMS).content
    assert kept[:128] == bytes(128)
    assert np.array_equal(prepare(kept, SETTINGS).pixels, expected)
