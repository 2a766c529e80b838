from __future__ import annotations

import io

import numpy as np
import pytest
from dicom_files import make_dicom
from PIL import Image

from tasks.errors import DecodeError
from tasks.imaging.decode import decode
from tasks.imaging.formats import sniff


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_files_come_back_as_rgb(encode, photo, suffix):
    assert np.array_equal(decode(encode(suffix, photo)), photo)
    assert np.array_equal(decode(encode(suffix, photo[..., 0])), photo[..., 0])


def test_jpeg_keeps_colours_apart(encode, photo):
    red, _, blue = decode(encode(".jpg", photo))[4, 4].tolist()
    assert red > 200
    assert blue < 80


def test_alpha_is_dropped(encode, photo):
    alpha = np.full(photo.shape[:2], 7, np.uint8)
    assert np.array_equal(decode(encode(".png", np.dstack([photo, alpha]))), photo)


def test_palette_gives_its_colours():
    image = Image.new("P", (4, 4))
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert decode(pillow(image, "PNG"))[0, 1].tolist() == [200, 100, 50]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_picture_is_turned_as_exif_says(photo, form):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    turned = decode(pillow(Image.fromarray(photo), form, exif=exif))
    assert turned.shape == (30, 40, 3)
    assert turned[2, -3, 0] > 200  # the bright corner is now on the right


def test_12_bits_in_a_16_bit_file_use_the_whole_range():
    values = np.linspace(0, 4095, 10_000).astype(np.uint16).reshape(100, 100)
    values[50, 50] = 65535  # a dead pixel must not squeeze the rest
    decoded = decode(pillow(Image.fromarray(values), "PNG"))
    assert decoded.dtype == np.uint8
    assert decoded[0, 0] == 0
    assert decoded[99, 99] == 255
    assert abs(int(decoded[50, 20]) - 128) < 5


def test_float_tiff_with_nan_is_refused():
    values = np.ones((8, 8), np.float32)
    values[3, 3] = np.nan
    with pytest.raises(DecodeError, match="finite"):
        decode(pillow(Image.fromarray(values), "TIFF"))


def test_middle_page_of_a_tiff():
    pages = [Image.fromarray(np.full((5, 5), value, np.uint8)) for value in (10, 20, 30)]
    content = pillow(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert decode(content)[0, 0] == 20
    assert decode(content, frame=2)[0, 0] == 30
    with pytest.raises(DecodeError, match="frame 3 of a file with 3"):
        decode(content, frame=3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff"])
def test_cut_file_is_refused(encode, photo, suffix):
    content = encode(suffix, photo)
    with pytest.raises(DecodeError):
        decode(content[: len(content) // 2])


def test_format_is_sniffed_from_the_bytes(encode, photo):
    for suffix, name in {".png": "png", ".jpg": "jpeg", ".bmp": "bmp", ".tiff": "tiff"}.items():
        assert sniff(encode(suffix, photo)) == name
    assert sniff(make_dicom(photo)) == "dicom"
    with pytest.raises(DecodeError, match="empty"):
        sniff(b"")
    with pytest.raises(DecodeError, match="neither"):
        sniff(b"%PDF-1.7")


def pillow(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
