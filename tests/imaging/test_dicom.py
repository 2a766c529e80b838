from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from dicom_files import make_dicom
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tasks.errors import DecodeError
from tasks.imaging.dicom import decode

CT = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 400}


def windowed(values, center, width):
    """PS3.3 C.11.2.1.2.1, written as there."""
    y = ((values - (center - 0.5)) / (width - 1) + 0.5) * 255
    y[values <= center - 0.5 - (width - 1) / 2] = 0
    y[values > center - 0.5 + (width - 1) / 2] = 255
    return np.rint(y).astype(np.uint8)


def test_rescale_then_window_of_the_header(ramp):
    stored = (ramp.astype(int) + 1024).astype(np.uint16)
    decoded = decode(make_dicom(stored, BitsStored=12, **CT), None)
    assert np.array_equal(decoded, windowed(ramp.astype(float), 40, 400))


def test_slope_is_applied(ramp):
    stored = ((ramp.astype(int) + 1024) // 2).astype(np.uint16)
    decoded = decode(make_dicom(stored, **CT | {"RescaleSlope": 2}), None)
    assert np.array_equal(decoded, windowed(stored * 2.0 - 1024, 40, 400))


def test_given_window_wins(ramp):
    stored = (ramp.astype(int) + 1024).astype(np.uint16)
    decoded = decode(make_dicom(stored, **CT), [-600, 1500])
    assert np.array_equal(decoded, windowed(ramp.astype(float), -600, 1500))


def test_first_of_several_windows(ramp):
    several = {"WindowCenter": [40, -600], "WindowWidth": [400, 1500]}
    assert np.array_equal(
        decode(make_dicom(ramp, **several), None), windowed(ramp.astype(float), 40, 400)
    )


def test_monochrome1_is_turned_last(ramp):
    plain = decode(make_dicom(ramp, WindowCenter=40, WindowWidth=400), None)
    turned = decode(
        make_dicom(ramp, WindowCenter=40, WindowWidth=400, PhotometricInterpretation="MONOCHROME1"),
        None,
    )
    assert np.array_equal(turned, 255 - plain)


def test_sigmoid_and_exact_windows(ramp):
    values = ramp.astype(float)
    window = {"WindowCenter": 100, "WindowWidth": 1000}
    sigmoid = decode(make_dicom(ramp, VOILUTFunction="SIGMOID", **window), None)
    assert np.array_equal(sigmoid, np.rint(255 / (1 + np.exp(-4 * (values - 100) / 1000))))
    exact = decode(make_dicom(ramp, VOILUTFunction="LINEAR_EXACT", **window), None)
    assert np.abs(exact - np.clip((values - 100) / 1000 + 0.5, 0, 1) * 255).max() < 0.51


def test_lookup_table_with_8_bit_entries_does_not_wrap_around():
    stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 8]
    table["LUTDescriptor"].VR = "US"
    table.LUTData = [value // 16 for value in range(4096)]
    table["LUTData"].VR = "US"
    decoded = decode(make_dicom(stored, BitsStored=12, VOILUTSequence=Sequence([table])), None)
    assert np.array_equal(decoded, stored // 16)


def test_without_window_8_bits_stay_and_more_are_spread_without_padding(ramp):
    small = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for rescale in ({}, {"RescaleSlope": 1, "RescaleIntercept": 0}):
        assert np.array_equal(decode(make_dicom(small, **rescale), None), small)
    padded = ramp.copy()
    padded[:20] = -30000
    decoded = decode(make_dicom(padded, PixelPaddingValue=-30000), None)
    assert decoded[:20].max() == 0
    assert decoded[20].max() < 15 < 240 < decoded[-1].max()


def test_window_without_width_counts_as_none():
    small = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode(make_dicom(small, WindowCenter=40, WindowWidth=0), None), small)


def test_frames():
    frames = np.stack([np.full((8, 8), value, np.uint8) for value in (10, 20, 30)])
    content = make_dicom(frames)
    assert decode(content, None)[0, 0] == 20
    assert decode(content, None, frame=0)[0, 0] == 10
    with pytest.raises(DecodeError, match="frame 5"):
        decode(content, None, frame=5)


def test_each_frame_of_an_enhanced_file_has_its_own_window(ramp):
    groups = [group(center) for center in (40, -600)]
    content = make_dicom(np.stack([ramp, ramp]), PerFrameFunctionalGroupsSequence=Sequence(groups))
    for frame, center in enumerate((40, -600)):
        expected = windowed(ramp.astype(float), center, 400)
        assert np.array_equal(decode(content, None, frame), expected)


def group(center):
    window = Dataset()
    window.WindowCenter, window.WindowWidth = center, 400
    item = Dataset()
    item.FrameVOILUTSequence = Sequence([window])
    return item


def test_colours(photo):
    assert np.array_equal(decode(make_dicom(photo), None), photo)
    yellow = np.tile(np.array([[[170, 60, 150]]], np.uint8), (8, 8, 1))  # Y, Cb, Cr
    red, green, blue = decode(make_dicom(yellow, PhotometricInterpretation="YBR_FULL"), None)[0, 0]
    assert (int(red), int(green), int(blue)) == pytest.approx((201, 178, 49), abs=2)


def test_palette():
    content = make_dicom(
        np.array([[0, 1], [1, 0]], np.uint8),
        PhotometricInterpretation="PALETTE COLOR",
        **{
            f"{color}PaletteColorLookupTableDescriptor": [2, 0, 16]
            for color in ("Red", "Green", "Blue")
        },
        RedPaletteColorLookupTableData=np.array([0, 65535], "<u2").tobytes(),
        GreenPaletteColorLookupTableData=np.array([0, 32768], "<u2").tobytes(),
        BluePaletteColorLookupTableData=np.array([0, 0], "<u2").tobytes(),
    )
    assert decode(content, None)[0, 1].tolist() == [255, 128, 0]


@pytest.mark.parametrize(
    ("syntax", "encoder"),
    [
        (JPEGLosslessSV1, lambda a: imagecodecs.jpeg8_encode(a, lossless=True)),
        (JPEGLSLossless, imagecodecs.jpegls_encode),
        (JPEG2000Lossless, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="J2K", level=0)),
    ],
)
def test_lossless_codings_of_signed_values(ramp, syntax, encoder):
    signed = syntax != JPEG2000Lossless  # its own codestream knows the sign
    values = ramp if signed else (ramp.astype(int) + 1024).astype(np.uint16)
    coded = [encoder(values.view(np.uint16))]
    plain = decode(make_dicom(values, WindowCenter=40, WindowWidth=400), None)
    content = make_dicom(values, syntax, coded, WindowCenter=40, WindowWidth=400)
    assert np.array_equal(decode(content, None), plain)


def test_sign_of_12_stored_bits():
    values = np.linspace(-2048, 2047, 64 * 64).astype(np.int16).reshape(64, 64)
    coded = [imagecodecs.jpegls_encode(values.view(np.uint16) & 0x0FFF)]
    content = make_dicom(
        values, JPEGLSLossless, coded, BitsStored=12, WindowCenter=0, WindowWidth=4096
    )
    assert np.array_equal(decode(content, None), windowed(values.astype(float), 0, 4096))


def test_jpeg_of_12_bits():
    values = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    coded = [imagecodecs.jpeg8_encode(values, level=98, bitspersample=12)]
    content = make_dicom(
        values, JPEGExtended12Bit, coded, BitsStored=12, WindowCenter=2048, WindowWidth=4096
    )
    error = decode(content, None).astype(int) - windowed(values.astype(float), 2048, 4096)
    assert np.abs(error).max() <= 2


def test_colour_jpeg_lossless_is_not_taken_for_ycbcr(photo):
    coded = [imagecodecs.jpeg8_encode(photo, lossless=True, colorspace="RGB", outcolorspace="RGB")]
    assert np.array_equal(decode(make_dicom(photo, JPEGLosslessSV1, coded), None), photo)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSLossless, RLELossless])
def test_garbage_in_the_frame_is_refused(ramp, syntax):
    with pytest.raises(DecodeError):
        decode(make_dicom(ramp, syntax, [b"no picture at all, "]), None)


def test_size_that_the_header_does_not_say(ramp):
    coded = [imagecodecs.jpegls_encode(ramp[:32].view(np.uint16))]
    with pytest.raises(DecodeError, match="not of the size"):
        decode(make_dicom(ramp, JPEGLSLossless, coded), None)


def test_damage_is_refused_without_a_value_of_the_header(ramp):
    content = make_dicom(ramp, PatientName="Nightingale^Flo", WindowCenter=40, WindowWidth=400)
    for cut in (200, 400, len(content) - 100):
        with pytest.raises(DecodeError) as caught:
            decode(content[:cut], None)
        assert "ightingale" not in str(caught.value)


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_bare_dataset_has_the_pixels_of_the_whole_file(ramp, implicit, little):
    whole = make_dicom(ramp, WindowCenter=40, WindowWidth=400)
    dataset = dcmread(io.BytesIO(whole))
    del dataset.file_meta
    dataset.PixelData = (ramp if little else ramp.byteswap()).tobytes()
    buffer = io.BytesIO()
    for element in dataset:  # read them all: raw ones are little-endian
        assert element.tag
    bare = Dataset({element.tag: element for element in dataset})
    bare.save_as(buffer, implicit_vr=implicit, little_endian=little)
    assert b"DICM" not in buffer.getvalue()
    assert np.array_equal(decode(buffer.getvalue(), None), decode(whole, None))


def test_no_pixel_data(ramp):
    with pytest.raises(DecodeError, match="without pixel data"):
        decode(make_dicom(ramp)[:330], None)
