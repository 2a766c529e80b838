from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.imaging.decoding import decode
from tasks.imaging.deidentification import deidentify
from tasks.imaging.formats import sniff
from tasks.privacy.pseudonyms import Pseudonyms


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_files_come_back_as_rgb(encode, photo, suffix):
    assert np.array_equal(decode(encode(suffix, photo)), photo)
    assert np.array_equal(decode(encode(suffix, photo[..., 0])), photo[..., 0])


def test_jpeg_keeps_colours_apart(encode, photo):
    red, _, blue = decode(encode(".jpg", photo))[4, 4].tolist()
    assert red > 200
    assert blue < 80


def test_alpha_of_png_is_dropped(encode, photo):
    alpha = np.full(photo.shape[:2], 7, np.uint8)
    assert np.array_equal(decode(encode(".png", np.dstack([photo, alpha]))), photo)
    grey = pillow(Image.fromarray(np.dstack([photo[..., 0], alpha]), "LA"), "PNG")
    assert np.array_equal(decode(grey), np.dstack([photo[..., 0]] * 3))
    palette = pillow(Image.fromarray(photo).quantize(8), "PNG", transparency=3)
    assert np.array_equal(
        decode(palette), decode(pillow(Image.fromarray(photo).quantize(8), "PNG"))
    )


def test_alpha_of_tiff_lays_the_colours_over_black(photo):
    half = np.full(photo.shape[:2], 128, np.uint8)
    decoded = decode(pillow(Image.fromarray(np.dstack([photo, half])), "TIFF"))
    assert np.abs(decoded - photo * (128 / 255)).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_palette_gives_its_colours(photo, form):
    image = Image.fromarray(photo).quantize(16)
    assert np.array_equal(decode(pillow(image, form)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_black_and_white(photo, form):
    image = Image.fromarray(photo[..., 0] > 60)
    assert np.array_equal(decode(pillow(image, form)), np.asarray(image) * np.uint8(255))


@pytest.mark.parametrize("coded", ["YCCK", "CMYK"])
def test_cmyk_of_jpeg_as_pillow_shows_it(photo, coded):
    inks = 255 - np.asarray(Image.fromarray(photo).convert("CMYK"))  # Adobe stores them inverted
    content = imagecodecs.jpeg8_encode(inks, level=95, colorspace="CMYK", outcolorspace=coded)
    shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(decode(content) - shown).max() <= 2
    assert np.abs(decode(content) - photo.astype(int)).mean() < 8


def test_cmyk_of_tiff(photo):
    content = pillow(Image.fromarray(photo).convert("CMYK"), "TIFF")
    assert np.abs(decode(content) - photo.astype(int)).max() <= 2


def test_progressive_jpeg_is_the_sequential_one(photo):
    image = Image.fromarray(photo)
    sequential, progressive = (pillow(image, "JPEG", progressive=kind) for kind in (False, True))
    assert sequential != progressive
    assert np.array_equal(decode(sequential), decode(progressive))


def test_jpeg_of_more_than_8_bits_is_refused(photo):
    deep = photo[..., 0].astype(np.uint16) << 4
    for options in ({"bitspersample": 12}, {"lossless": True}):
        with pytest.raises(DecodeError, match="unknown coding"):
            decode(imagecodecs.jpeg8_encode(deep, **options))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_picture_is_turned_as_exif_says(photo, form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = pillow(Image.fromarray(photo), form, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert np.abs(decode(content).astype(int) - np.asarray(upright)).max() <= (form == "JPEG") * 3


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_lossless_compressions_of_tiff(photo, compression, dtype):
    values = photo[..., 1].astype(dtype) * (1 if dtype == np.uint8 else 16)
    plain = decode(pillow(Image.fromarray(values), "TIFF"))
    assert plain.max() == (255 if dtype != np.uint8 else photo[..., 1].max())
    assert np.array_equal(
        decode(pillow(Image.fromarray(values), "TIFF", compression=compression)), plain
    )


def test_fax_compression_of_tiff(photo):
    image = Image.fromarray(photo[..., 0] > 60)
    for compression in ("group3", "group4"):
        content = pillow(image, "TIFF", compression=compression)
        assert np.array_equal(decode(content), np.asarray(image) * np.uint8(255))


@pytest.mark.parametrize(
    "picture",
    [
        lambda photo: Image.fromarray(photo),
        lambda photo: Image.fromarray(photo[..., 0].astype(np.uint16) << 6),
        lambda photo: Image.fromarray(photo[..., 0].astype(np.float32) / 7),
        lambda photo: Image.fromarray(photo[..., 0] > 60),
        lambda photo: Image.fromarray(photo).quantize(16),
        lambda photo: Image.fromarray(np.dstack([photo, photo[..., 1]])),
        lambda photo: Image.fromarray(photo).convert("CMYK"),
    ],
    ids=["rgb", "16 bits", "float", "1 bit", "palette", "alpha", "cmyk"],
)
def test_tiff_looks_the_same_before_and_after_it_is_written_anew(photo, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = pillow(picture(photo), "TIFF", exif=exif)
    assert decode(content).shape[:2] == (30, 40)
    rewritten = deidentify(content, Pseudonyms(b"a key")).content
    assert np.array_equal(decode(rewritten), decode(content))


def test_12_bits_in_a_16_bit_file_use_the_whole_range():
    values = np.linspace(0, 4095, 10_000).astype(np.uint16).reshape(100, 100)
    values[50, 50] = 65535  # a dead pixel must not squeeze the rest
    decoded = decode(pillow(Image.fromarray(values), "PNG"))
    assert decoded.dtype == np.uint8
    assert decoded[0, 0] == 0
    assert decoded[99, 99] == 255
    assert abs(int(decoded[50, 20]) - 128) < 5


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colours_of_png(channels):
    values = np.linspace(0, 65535, 100 * 100).astype(np.uint16).reshape(100, 100)
    picture = np.dstack([values, values // 2, values // 4, values][:channels])
    decoded = decode(imagecodecs.png_encode(picture))
    assert decoded.shape == (100, 100, 3)
    assert decoded[99, 99].tolist() == pytest.approx([255, 128, 64], abs=4)


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
