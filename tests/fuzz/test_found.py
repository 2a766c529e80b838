"""Damage that once took seconds, gigabytes or forever, as the harness found it."""

from __future__ import annotations

import struct

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from tasks.common.errors import DecodeError
from tasks.imaging import decoding, dicom
from tests.worlds.dicom_files import make_dicom

PICTURE = np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)


@pytest.mark.parametrize("kind", [b"IDAT", b"IEND"])
def test_png_chunk_longer_than_the_file(kind):
    """OpenCV makes room for the 2.6 GB first."""
    content = bytearray(cv2.imencode(".png", PICTURE)[1].tobytes())
    struct.pack_into(">I", content, content.index(kind) - 4, 0x9D000000)
    with pytest.raises(DecodeError, match="ends early"):
        decoding.decode(bytes(content))


def test_jpeg_ls_without_an_end():
    """CharLS searches for it beyond the frame."""
    frame = imagecodecs.jpegls_encode(PICTURE)[:-2]
    with pytest.raises(DecodeError, match="cut off"):
        dicom.decode(make_dicom(PICTURE, JPEGLSLossless, [frame]), None)


def test_jp2_box_without_a_length():
    """Where another box than the codestream has none, pydicom stays at it forever."""
    frame = bytearray(imagecodecs.jpeg2k_encode(PICTURE, codecformat="jp2", reversible=True))
    struct.pack_into(">I", frame, frame.index(b"ftyp") - 4, 0)
    with pytest.raises(DecodeError, match="without a codestream"):
        dicom.decode(make_dicom(PICTURE, JPEG2000Lossless, [bytes(frame)]), None)
