"""What a JPEG can hide beside its picture goes, and the pixels stay what they were."""

from __future__ import annotations

import io
import re
import struct

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from worlds.deidentification import PIXELS, SECRET, clean, decoded, encoded

from tasks.common.errors import DecodeError
from tasks.imaging.decoding import decode
from tasks.imaging.jpeg_segments import joined, spelled, split

GREY = PIXELS[..., 0]
HIDDEN = SECRET * 3
QUANTIZATION = (HIDDEN * 2)[:64]
APP0, APP14, DAC, DNL, SOF, PROGRESSIVE_SOF = 0xE0, 0xEE, 0xCC, 0xDC, 0xC0, 0xC2
DHT, DQT, DRI, SOS = 0xC4, 0xDB, 0xDD, 0xDA
NEEDED = {APP0, APP14, SOF, PROGRESSIVE_SOF, DHT, DQT, DRI, SOS}
HUFFMAN = b"\0" * 15 + bytes([len(HIDDEN)]) + HIDDEN  # codes of 16 bits
RESTARTS = cv2.IMWRITE_JPEG_RST_INTERVAL


def ending(level: int) -> np.ndarray:
    """A picture whose lower half is all black, or all white."""
    picture = cv2.resize(GREY, (120, 100), interpolation=cv2.INTER_CUBIC)
    picture[50:] = level
    return picture


def saved(pixels: np.ndarray = PIXELS, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def before(marker: int, *planted: bytes, content: bytes = encoded(".jpg")) -> bytes:
    at = content.index(bytes([0xFF, marker]))
    return content[:at] + b"".join(planted) + content[at:]


def behind(scan: bytes, content: bytes = encoded(".jpg")) -> bytes:
    """Something between the last block and the end."""
    return content[:-2] + scan + content[-2:]


def between_restarts(content: bytes) -> bytes:
    return re.sub(rb"\xff[\xd0-\xd7]", lambda mark: HIDDEN + mark[0], content)


def in_scans(content: bytes) -> bytes:
    """Something behind every scan."""
    return joined([s._replace(scan=s.scan + HIDDEN * bool(s.scan)) for s in split(content)])


PROGRESSIVE, RESTARTED = saved(progressive=True), cv2.imencode(".jpg", PIXELS, [RESTARTS, 2])[1]
GREY_RESTARTED = cv2.imencode(".jpg", GREY, [RESTARTS, 3])[1]
CASES = {
    "comment": before(SOF, spelled(0xFE, HIDDEN)),
    "applications": before(SOF, *(spelled(0xE0 + n, HIDDEN) for n in range(16))),
    "thumbnail": before(SOF, spelled(APP0, b"JFIF\0\1\1\0\0\1\0\1\1\1" + SECRET[:3])),
    "density": before(SOF, spelled(APP0, b"JFIF\0" + SECRET[:9])),
    "flags of Adobe": before(SOF, spelled(APP14, b"Adobe" + SECRET[:6] + b"\1")),
    "unused quantization": before(SOF, spelled(DQT, b"\3" + QUANTIZATION)),
    "replaced quantization": before(DQT, spelled(DQT, b"\0" + QUANTIZATION)),
    "quantization that is too late": before(0xD9, spelled(DQT, b"\0" + QUANTIZATION)),
    "unused codes": before(SOS, spelled(DHT, b"\x13" + HUFFMAN)),
    "replaced codes": before(DHT, spelled(DHT, b"\0" + HUFFMAN)),
    "conditions of another coding": before(SOS, spelled(DAC, b"\1Q\2Q")),
    "restarts that are replaced": before(SOF, spelled(DRI, b"Qu"), spelled(DRI, b"\0\0")),
    "number of lines": behind(spelled(DNL, HIDDEN)),
    "fill bytes": before(SOF, b"\xff" * 50),
    "fill bytes behind the scan": behind(b"\xff" * 50),
    "behind the scan": behind(HIDDEN),
    "one byte of it in front of a stuffed one": behind(b"\xff\0" * 9 + HIDDEN),
    "restarts behind the scan": behind(b"\xff\xd0" + HIDDEN + b"\xff\xd1" + HIDDEN),
    "restarts behind the last": behind(b"\xff\xd0" + HIDDEN, RESTARTED.tobytes()),
    "between restarts": between_restarts(RESTARTED.tobytes()),
    "between restarts of grey": between_restarts(GREY_RESTARTED.tobytes()),
    "a second scan": behind(spelled(SOS, b"\3\1\0\2\x11\3\x11\0\x3f\0") + HIDDEN),
    "behind each scan of many": in_scans(PROGRESSIVE),
    "behind the end": encoded(".jpg") + HIDDEN,
}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_the_pixels_stay_and_nothing_else(content):
    result = clean(content).content
    for flags in (cv2.IMREAD_UNCHANGED, cv2.IMREAD_REDUCED_COLOR_8):
        np.testing.assert_array_equal(decoded(result, flags), decoded(content, flags), strict=True)
    assert SECRET[:4] not in result
    assert b"\xff\xff" not in result
    assert {segment.marker for segment in split(result)} <= NEEDED
    assert clean(result).content == result


@pytest.mark.parametrize(
    "content",
    [
        encoded(".jpg"),
        encoded(".jpg", GREY),
        RESTARTED.tobytes(),
        saved(progressive=True, quality=95),
        saved(optimize=True, quality=100),
        saved(subsampling=0, quality=30),
        GREY_RESTARTED.tobytes(),
        encoded(".jpg", np.zeros((64, 64), np.uint8)),  # whose end is all the same
        saved(ending(0), progressive=True, quality=90),
        saved(ending(255), progressive=True, quality=100),
        encoded(".jpg", np.full((64, 64, 3), 255, np.uint8)),
    ],
)
def test_a_plain_picture_stays_byte_for_byte(content):
    kept = [segment for segment in split(content) if segment.marker != APP0]
    assert [s for s in split(clean(content).content) if s.marker != APP0] == kept


def test_tables_that_a_later_scan_replaces_stay():
    """Components scan by scan, each with codes of its own in one and the same slot."""
    frame, scans = [], []
    for number in range(3):
        one = list(split(encoded(".jpg", PIXELS[..., number])))
        tables = [segment for segment in one if segment.marker == DHT]
        (scan,) = (segment for segment in one if segment.marker == SOS)
        scans += [*tables, scan._replace(body=bytes([1, number + 1, 0, 0, 63, 0]))]
        frame = frame or [segment for segment in one if segment.marker == DQT]
    size = struct.pack(">BHHB", 8, 24, 32, 3) + b"".join(bytes([n, 0x11, 0]) for n in (1, 2, 3))
    content = joined([*frame, scans[0]._replace(marker=SOF, body=size), *scans])
    np.testing.assert_array_equal(decode(clean(content).content), decode(content))
    assert clean(content).content == content
    repeated = joined([*split(content), *scans])
    with pytest.raises(DecodeError, match="repeats"):
        clean(repeated)


def test_scan_of_a_progressive_picture_that_repeats_is_refused():
    segments = list(split(PROGRESSIVE))
    last = [segment for segment in segments if segment.marker == SOS][-1]
    with pytest.raises(DecodeError, match="repeats"):
        clean(joined([*segments, last]))


def test_two_frames_are_refused():
    with pytest.raises(DecodeError, match="several frames"):
        clean(before(SOS, spelled(SOF, b"\x08\0\x18\0\x20\1\1\x11\0")))


def test_lossless_frames_lose_their_tail():
    content = imagecodecs.ljpeg_encode(GREY)
    result = clean(content[:-2] + HIDDEN + content[-2:]).content
    assert SECRET[:4] not in result
    np.testing.assert_array_equal(decode(result), decode(content))
