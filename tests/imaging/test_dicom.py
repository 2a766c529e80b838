from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.imaging.dicom import decode


def test_frames():
    frames = np.stack([np.full((8, 8), value, np.uint8) for value in (10, 20, 30)])
    content = make_dicom(frames)
    assert decode(content, None)[0, 0] == 20
    assert decode(content, None, frame=0)[0, 0] == 10
    with pytest.raises(DecodeError, match="frame 5"):
        decode(content, None, frame=5)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [0, 1])
def test_rgb(photo, bits, planar):
    stored = photo if bits == 8 else photo.astype(np.uint16) * 257
    content = with_pixels(
        stored.transpose(2, 0, 1) if planar else stored, PlanarConfiguration=planar
    )
    assert np.array_equal(decode(content, None), photo)


def with_pixels(stored, **attributes):
    """A colour file of 40 x 30 whose pixel data are `stored`, in whatever order it has them."""
    blank = np.zeros((40, 30, 3), stored.dtype)
    dataset = dcmread(io.BytesIO(make_dicom(blank, **attributes)))
    dataset.PixelData = stored.tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_known_ybr_colour():
    yellow = np.tile(np.array([[[170, 60, 150]]], np.uint8), (8, 8, 1))  # Y, Cb, Cr
    red, green, blue = decode(make_dicom(yellow, PhotometricInterpretation="YBR_FULL"), None)[0, 0]
    assert (int(red), int(green), int(blue)) == pytest.approx((201, 178, 49), abs=2)


def test_ybr_without_compression(smooth):
    ybr = convert_color_space(smooth, "RGB", "YBR_FULL")
    halved = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], axis=-1)
    for stored, described in (
        (ybr, {"PhotometricInterpretation": "YBR_FULL"}),
        (
            ybr.transpose(2, 0, 1),
            {"PhotometricInterpretation": "YBR_FULL", "PlanarConfiguration": 1},
        ),
        (halved, {"PhotometricInterpretation": "YBR_FULL_422"}),
    ):
        assert apart(decode(with_pixels(stored, **described), None), smooth) <= 6


@pytest.fixture
def smooth():
    rows, columns = np.mgrid[0:40, 0:30]
    return np.stack([rows * 5, columns * 7, rows + columns], axis=-1).astype(np.uint8)


def apart(one, other):
    return np.abs(one.astype(int) - other).max()


def jpeg(picture, coded):
    return imagecodecs.jpeg8_encode(
        picture, level=100, colorspace="RGB", outcolorspace=coded, subsampling="444"
    )


def jpeg_2000(picture, lossless):
    level = {"level": 0, "reversible": True} if lossless else {"level": 60}
    return imagecodecs.jpeg2k_encode(picture, codecformat="J2K", mct=True, **level)


@pytest.mark.parametrize(
    ("syntax", "photometric", "encoder", "tolerance"),
    [
        (JPEGBaseline8Bit, "YBR_FULL_422", lambda a: jpeg(a, "YCBCR"), 4),
        (JPEGBaseline8Bit, "YBR_FULL", lambda a: jpeg(a, "YCBCR"), 4),
        (JPEGBaseline8Bit, "RGB", lambda a: jpeg(a, "RGB"), 2),
        (JPEGBaseline8Bit, "RGB", lambda a: jpeg(a, "YCBCR"), 4),  # the frame knows better
        (JPEG2000Lossless, "YBR_RCT", lambda a: jpeg_2000(a, True), 0),
        (JPEG2000, "YBR_ICT", lambda a: jpeg_2000(a, False), 4),
        (JPEGLSLossless, "RGB", imagecodecs.jpegls_encode, 0),
        (
            JPEGLosslessSV1,
            "RGB",
            lambda a: imagecodecs.jpeg8_encode(a, lossless=True, outcolorspace="RGB"),
            0,
        ),
    ],
)
def test_compressed_colours(smooth, syntax, photometric, encoder, tolerance):
    content = make_dicom(smooth, syntax, [encoder(smooth)], PhotometricInterpretation=photometric)
    assert apart(decode(content, None), smooth) <= tolerance


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("entries", [8, 16])
def test_palette(bits, entries):
    palette = {}
    for color, brightest in (("Red", 255), ("Green", 128), ("Blue", 0)):
        values = np.array([0, brightest * (257 if entries == 16 else 1)], f"<u{entries // 8}")
        palette[f"{color}PaletteColorLookupTableDescriptor"] = [2, 0, entries]
        palette[f"{color}PaletteColorLookupTableData"] = values.tobytes()
    stored = np.array([[0, 1], [1, 0]], f"u{bits // 8}")
    content = make_dicom(stored, PhotometricInterpretation="PALETTE COLOR", **palette)
    assert decode(content, None).tolist()[0] == [[0, 0, 0], [255, 128, 0]]


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


@pytest.mark.parametrize(("keyword", "dtype"), [("Float", "f4"), ("DoubleFloat", "f8")])
def test_floating_point_pixels_are_refused(ramp, keyword, dtype):
    dataset = dcmread(io.BytesIO(make_dicom(ramp)))
    del dataset.PixelData
    setattr(dataset, f"{keyword}PixelData", ramp.astype(dtype).tobytes())
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    with pytest.raises(DecodeError, match="floating-point"):
        decode(buffer.getvalue(), None)


def test_pixel_data_of_another_length_are_refused(photo):
    described = {"PhotometricInterpretation": "YBR_FULL_422"}  # which would be a third shorter
    for content in (with_pixels(photo, **described), with_pixels(photo[:20])):
        with pytest.raises(DecodeError, match="do not fit the size and bits"):
            decode(content, None)


def test_missing_spacing_does_not_matter(ramp):
    window = {"WindowCenter": 40, "WindowWidth": 400}
    spaced = decode(make_dicom(ramp, PixelSpacing=[0.7, 0.7], **window), None)
    assert np.array_equal(decode(make_dicom(ramp, **window), None), spaced)


STORED = np.arange(4096, dtype=np.uint16).reshape(64, 64)
RAMP = np.rint(STORED / 4095 * 255).astype(np.uint8)
WHOLE = {"WindowCenter": 2048, "WindowWidth": 4096}


def placed(stored, syntax=ExplicitVRLittleEndian, **header):
    """A file in whose words the 12 bits of a value lie where `HighBit` says."""
    written = stored.byteswap() if syntax == ExplicitVRBigEndian else stored
    return make_dicom(written, syntax, **{"BitsStored": 12, "HighBit": 15} | WHOLE | header)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("high", [12, 13, 15])
def test_values_lie_below_the_highest_bit(syntax, high):
    assert np.array_equal(decode(placed(STORED << (high - 11), syntax, HighBit=high), None), RAMP)


def test_signed_values_below_the_highest_bit():
    signed = (STORED.astype(np.int16) - 2048) << 4
    assert np.array_equal(decode(placed(signed, WindowCenter=0), None), RAMP)
    dataset = dcmread(io.BytesIO(placed(STORED << 4)))
    dataset.compress(RLELossless)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    assert np.array_equal(decode(buffer.getvalue(), None), RAMP)


def test_values_that_lie_lower_than_the_highest_bit_says():
    """The word shows it: below a value that lies high there is nothing."""
    assert np.array_equal(decode(placed(STORED), None), RAMP)
    signed = STORED.astype(np.int16) - 2048
    assert np.array_equal(decode(placed(signed, WindowCenter=0), None), RAMP)


@pytest.mark.parametrize("high", [0, 7, 10, 16, 255])
def test_a_highest_bit_that_cannot_be_is_none(high):
    assert np.array_equal(decode(placed(STORED, HighBit=high), None), RAMP)


@pytest.mark.parametrize("encoded", [imagecodecs.jpegls_encode, lambda a: jpeg_2000(a, True)])
def test_coded_frames_say_their_own_bits(encoded):
    syntax = JPEGLSLossless if encoded is imagecodecs.jpegls_encode else JPEG2000Lossless
    header = {"BitsStored": 12, "HighBit": 15} | WHOLE
    content = make_dicom(STORED, syntax, [encoded(STORED)], **header)
    assert np.array_equal(decode(content, None), RAMP)


def test_colours_below_the_highest_bit(photo):
    content = make_dicom(photo.astype(np.uint16) << 8, BitsStored=8, HighBit=15)
    assert np.array_equal(decode(content, None), photo)
    low = make_dicom(photo >> 4, BitsStored=4)
    assert np.array_equal(decode(low, None), (photo >> 4) * 17)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize(
    ("syntax", "photometric", "encoder", "tolerance"),
    [
        (JPEGBaseline8Bit, "RGB", lambda a: jpeg(a, "RGB"), 2),
        (JPEG2000Lossless, "YBR_RCT", lambda a: jpeg_2000(a, True), 0),
        (JPEGLSLossless, "RGB", imagecodecs.jpegls_encode, 0),
    ],
)
def test_colours_of_fewer_bits_than_the_header_says(
    smooth, bits, syntax, photometric, encoder, tolerance
):
    header = {"BitsStored": bits, "PhotometricInterpretation": photometric}
    content = make_dicom(smooth.astype(np.uint16), syntax, [encoder(smooth)], **header)
    assert apart(decode(content, None), smooth) <= tolerance


@pytest.mark.parametrize("photometric", ["HSV", "YBR_PARTIAL_422", "YBR_PARTIAL_420"])
def test_colours_that_nothing_here_turns_to_rgb_are_refused(photo, photometric):
    with pytest.raises(DecodeError, match=f"colours of the kind {photometric}"):
        decode(make_dicom(photo, PhotometricInterpretation=photometric), None)
