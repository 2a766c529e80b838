from __future__ import annotations

import hashlib
import io
import json
import random

import cv2
import numpy as np
import pytest
from PIL import Image
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging.deidentification import deidentify
from tasks.imaging.jpeg_cleaning import minimal_exif
from tasks.imaging.jpeg_segments import spelled
from tasks.imaging.png_cleaning import _chunk
from tasks.imaging.preparation import prepare
from tasks.imaging.resizing import resize
from tasks.privacy.pseudonyms import Pseudonyms

GREY = PixelSettings(size=[32, 48], color="grey", window=None)
RGB = PixelSettings(size=[32, 48], color="rgb", window=None)


def test_size_colour_and_type(encode, photo, ramp):
    for content in (encode(".png", photo), encode(".png", photo[..., 0]), make_dicom(ramp)):
        assert prepare(content, GREY).pixels.shape == (32, 48, 1)
        assert prepare(content, RGB).pixels.shape == (32, 48, 3)
        assert prepare(content, RGB).pixels.dtype == np.uint8


def test_size_of_the_original(encode, photo):
    made = prepare(encode(".png", photo), GREY)
    assert (made.height, made.width) == photo.shape[:2]


def test_grey_is_luma_and_rgb_is_in_order(encode):
    red = np.zeros((32, 48, 3), np.uint8)
    red[:, 10:, 0] = 200
    content = encode(".png", red)
    assert prepare(content, GREY).pixels[0, 20, 0] == round(0.299 * 200)
    assert prepare(content, RGB).pixels[0, 20].tolist() == [200, 0, 0]


def test_grey_fills_all_channels(encode, photo):
    pixels = prepare(encode(".png", photo[..., 0]), RGB).pixels
    assert np.array_equal(pixels[..., 0], pixels[..., 1])
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_colours_are_noticed_but_not_the_traces_of_jpeg(encode, photo):
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    assert prepare(encode(".png", photo), GREY).colored
    assert not prepare(encode(".png", grey), GREY).colored
    assert not prepare(encode(".jpg", np.dstack([grey] * 3)), GREY).colored


def test_window_of_the_settings_reaches_dicom(ramp):
    bone = GREY.model_copy(update={"window": [1500.0, 1000.0]})
    content = make_dicom(ramp, WindowCenter=0, WindowWidth=500)
    assert prepare(content, bone).pixels.mean() < prepare(content, GREY).pixels.mean() - 30


def test_preset_of_the_settings_reaches_dicom_as_a_model_stores_it(ramp):
    lung = GREY.model_copy(update={"window": "lung"})
    served = PixelSettings.model_validate(json.loads(json.dumps(lung.model_dump())))
    content = make_dicom(ramp, Modality="CT", RescaleSlope=1, RescaleIntercept=0)
    by_numbers = prepare(content, GREY.model_copy(update={"window": [-600.0, 1500.0]}))
    assert np.array_equal(prepare(content, served).pixels, by_numbers.pixels)
    with pytest.raises(DecodeError, match="no CT"):
        prepare(make_dicom(ramp, Modality="MR"), served)


def test_pixels_are_the_same_before_and_after_de_identification(encode, ramp):
    rows, columns = np.mgrid[0:300, 0:201]
    large = np.dstack([rows // 2, columns, (rows + columns) // 3]).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 8, "Nightingale"
    pictures = []
    for form in ("JPEG", "PNG", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(large).save(buffer, form, exif=exif)
        pictures.append(buffer.getvalue())
    for content in (*pictures, encode(".bmp", large), make_dicom(ramp, PatientName="A")):
        clean = deidentify(content, Pseudonyms(b"a key")).content
        assert clean != content
        assert np.array_equal(prepare(clean, RGB).pixels, prepare(content, RGB).pixels)


def test_frame_is_chosen(ramp):
    content = make_dicom(np.stack([ramp, ramp[::-1], ramp]), WindowCenter=1000, WindowWidth=4000)
    assert np.array_equal(prepare(content, GREY).pixels, prepare(content, GREY, 1).pixels)
    assert not np.array_equal(prepare(content, GREY).pixels, prepare(content, GREY, 0).pixels)


def test_constant_picture_shows_nothing(encode):
    with pytest.raises(DecodeError, match="no contrast"):
        prepare(encode(".png", np.full((40, 40), 90, np.uint8)), GREY)


def test_a_window_that_shows_none_of_the_values_is_told(ramp):
    for center in (-30000, 30000):
        content = make_dicom(ramp, WindowCenter=center, WindowWidth=400)
        with pytest.raises(DecodeError, match="no contrast"):
            prepare(content, GREY)
        with pytest.raises(DecodeError, match="no contrast"):
            prepare(make_dicom(ramp), GREY.model_copy(update={"window": [center, 400.0]}))


def test_shrinking_averages_and_growing_interpolates(photo):
    board = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 200
    assert np.unique(resize(board, 32, 32)).tolist() == [100]
    assert np.array_equal(resize(photo, *photo.shape[:2]), photo)
    grown = resize(photo[..., 0], 80, 60)
    expected = cv2.resize(photo[..., 0], (60, 80), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(grown, expected)


def test_each_axis_is_resized_on_its_own():
    stripes = np.tile(np.array([[0, 200]], np.uint8), (10, 32))
    assert np.unique(resize(stripes, 40, 32)).tolist() == [100]


PADDED = GREY.model_copy(update={"size": [32, 32], "fit": "pad"})


@pytest.mark.parametrize("scale", [1, 20])  # decoded whole, and a JPEG at reduced scale
@pytest.mark.parametrize(("suffix", "tolerance"), [(".png", 0), (".jpg", 8)])
def test_padding_keeps_the_aspect_ratio_in_the_middle(encode, suffix, tolerance, scale):
    picture = np.full((16 * scale, 33 * scale), 200, np.uint8)
    picture[: 8 * scale, : 16 * scale] = 40
    found = prepare(encode(suffix, picture), PADDED).pixels[..., 0].astype(int)
    rows = found.max(axis=1) > 0
    assert rows.tolist() == [False] * 8 + [True] * 16 + [False] * 8
    assert (abs(found[9:15, :14] - 40) <= tolerance).all()
    assert (abs(found[17:23] - 200) <= tolerance).all()


def test_padding_changes_nothing_where_the_aspect_ratio_is_kept_anyway(encode, photo):
    content = encode(".png", photo[:30])
    stretched = PADDED.model_copy(update={"fit": "stretch"})
    assert np.array_equal(prepare(content, PADDED).pixels, prepare(content, stretched).pixels)


def test_the_thinnest_picture_keeps_a_line(encode):
    thin = np.tile(np.arange(0, 250, dtype=np.uint8), (2, 4))
    found = prepare(encode(".png", thin), PADDED).pixels[..., 0]
    assert (found.max(axis=1) > 0).sum() == 1


def test_bars_are_no_contrast(encode):
    with pytest.raises(DecodeError, match="no contrast"):
        prepare(encode(".png", np.full((20, 40), 90, np.uint8)), PADDED)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_turned_picture_is_padded_as_it_is_shown(encode, orientation):
    picture = np.full((320, 640), 200, np.uint8)
    picture[:, :8] = 30
    jpeg = encode(".jpg", picture)
    content = jpeg[:2] + spelled(0xE1, exif(orientation)) + jpeg[2:]
    found = prepare(content, PADDED).pixels[..., 0]
    across, down = (int((found.max(axis=axis) > 0).sum()) for axis in (0, 1))
    assert (down, across) == ((32, 16) if orientation == 6 else (16, 32))


def test_garbage_never_crashes(encode, photo, ramp):
    chance, reasons = random.Random(7), []
    whole = [encode(suffix, photo) for suffix in (".png", ".jpg", ".bmp", ".tiff")]
    for content in [*whole, make_dicom(ramp), b"", b"\x08\0\0\0", b"GIF89a"]:
        for _ in range(60):
            damaged = bytearray(content[: chance.randint(0, len(content))])
            for _ in range(chance.randint(0, 8)):
                if damaged:
                    damaged[chance.randrange(min(len(damaged), 600))] = chance.randrange(256)
            try:
                assert prepare(bytes(damaged), GREY).pixels.shape == (32, 48, 1)
            except DecodeError as error:
                reasons.append(str(error))
    assert len(reasons) > 100
    assert all(0 < len(reason) < 100 for reason in reasons)


def test_the_same_bytes_give_the_same_pixels(encode, photo):
    digests = {
        hashlib.sha256(prepare(encode(".jpg", photo), GREY).pixels.tobytes()).hexdigest()
        for _ in range(3)
    }
    assert len(digests) == 1


def exif(orientation):
    return b"Exif\0\0" + minimal_exif(orientation)


@pytest.mark.parametrize("size", [[16, 16], [200, 200]])  # decoded at reduced scale, and whole
def test_odd_places_of_an_orientation_are_read_alike(encode, size):
    picture = cv2.resize(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, (200, 120))
    jpeg, png = encode(".jpg", picture), encode(".png", picture)
    scan, data = jpeg.index(b"\xff\xda"), png.index(b"IDAT") - 4
    one, six = (spelled(0xE1, exif(value)) for value in (1, 6))
    chunks = [_chunk(b"eXIf", minimal_exif(value)) for value in (1, 6)]
    settings = GREY.model_copy(update={"size": size})
    plain, turned = (prepare(encode(".png", p), settings).pixels for p in (picture, picture.T))
    for content, upright in (
        (jpeg[:scan] + six + jpeg[scan:], False),
        (jpeg[:2] + one + six + jpeg[2:], True),
        (png[:data] + b"".join(chunks) + png[data:], True),
    ):
        raw = prepare(content, settings).pixels
        clean = prepare(deidentify(content, Pseudonyms(b"a key")).content, settings).pixels
        assert np.array_equal(raw, clean)
        expected = plain if upright else turned[:, ::-1]
        assert np.abs(raw.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("still", [False, True])
def test_animated_png_is_its_still_picture(photo, still):
    frames = [Image.fromarray(np.roll(photo, 9 * number, axis=0)) for number in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], default_image=still)
    clean = deidentify(buffer.getvalue(), Pseudonyms(b"a key")).content
    expected = prepare(clean, RGB).pixels
    assert np.array_equal(prepare(buffer.getvalue(), RGB).pixels, expected)
    first = io.BytesIO()
    frames[0].save(first, "PNG")
    assert np.array_equal(expected, prepare(first.getvalue(), RGB).pixels)
