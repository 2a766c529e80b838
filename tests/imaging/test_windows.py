from __future__ import annotations

import itertools

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.common.params.pixels import WINDOWS
from tasks.imaging.dicom import decode
from tasks.imaging.windows import HOUNSFIELD, MAMMOGRAPHY

CT = {
    "Modality": "CT",
    "RescaleSlope": 1,
    "RescaleIntercept": -1024,
    "WindowCenter": 40,
    "WindowWidth": 400,
}


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
    table = Sequence([table_of([value // 16 for value in range(4096)], bits=8)])
    decoded = decode(make_dicom(stored, BitsStored=12, VOILUTSequence=table), None)
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


FINE = {"RescaleSlope": 1 / 4096, "RescaleIntercept": 0, "BitsStored": 12}  # values from 0 to 1


@pytest.mark.parametrize(("center", "width"), [(0.5, 1), (0.25, 0.5), (0.1, 0.01)])
def test_a_window_of_fine_values_is_taken_exactly(ramp, center, width):
    """LINEAR's whole numbers would make a step of it: white, or black and white."""
    stored = (ramp.astype(int) + 1024).astype(np.uint16)
    decoded = decode(make_dicom(stored, WindowCenter=center, WindowWidth=width, **FINE), None)
    expected = np.clip((stored / 4096 - center) / width + 0.5, 0, 1) * 255
    assert np.abs(decoded - expected).max() <= 1
    assert len(np.unique(decoded)) > 40


def test_a_window_of_one_whole_number_is_a_step(ramp):
    """Here pydicom and DCMTK agree with PS3.3."""
    decoded = decode(make_dicom(ramp, WindowCenter=40, WindowWidth=1), None)
    assert np.array_equal(decoded, np.where(ramp >= 40, 255, 0))


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize(
    ("function", "center", "width"),
    [
        *itertools.product(
            ["LINEAR", "LINEAR_EXACT", "SIGMOID"],
            ["nan", "inf", "-inf", 40],
            ["nan", "inf", -5, 0],
        ),
        ("SIGMOID", "nan", 400),
        ("LINEAR", 40, 0.5),  # narrower than from one value to the next
    ],
)
def test_a_window_that_shows_nothing_counts_as_none(ramp, function, center, width):
    header = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    decoded = decode(make_dicom(ramp, **header), None)
    assert np.array_equal(decoded, decode(make_dicom(ramp), None))


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize("unusable", ["", "nan"])
def test_the_first_of_several_windows_that_shows_something(ramp, unusable):
    several = {"WindowCenter": [unusable, 40], "WindowWidth": [unusable, 400]}
    decoded = decode(make_dicom(ramp, **several), None)
    assert np.array_equal(decoded, windowed(ramp.astype(float), 40, 400))
    alone = {"WindowCenter": [40, -600], "WindowWidth": 400}
    decoded = decode(make_dicom(ramp, **alone), None)
    assert np.array_equal(decoded, windowed(ramp.astype(float), 40, 400))


@pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept"])
def test_half_a_rescale_is_none(ramp, name):
    """As pydicom and DCMTK have it; and a CT without one is in no Hounsfield units."""
    half = {key: value for key, value in CT.items() if key != name}
    content = make_dicom(ramp, **half)
    assert np.array_equal(decode(content, None), windowed(ramp.astype(float), 40, 400))
    with pytest.raises(DecodeError, match="no CT with a rescale"):
        decode(content, "lung")


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
@pytest.mark.parametrize(("slope", "intercept"), [(0, 5), ("nan", 0), ("inf", 0), (1, "-inf")])
def test_a_rescale_that_loses_the_picture_is_refused(ramp, slope, intercept):
    header = CT | {"RescaleSlope": slope, "RescaleIntercept": intercept}
    for window in (None, [40, 400]):
        with pytest.raises(DecodeError, match="a rescale whose slope is 0"):
            decode(make_dicom(ramp, **header), window)


@pytest.mark.parametrize("bits", [1, 4, 6, 7])
def test_fewer_than_8_bits_fill_the_range(bits):
    small = np.arange(256, dtype=np.uint8).reshape(16, 16) >> (8 - bits)
    full = np.rint(small * (255 / (2**bits - 1))).astype(np.uint8)
    for rescale in ({}, {"RescaleSlope": 1, "RescaleIntercept": 0}):
        assert np.array_equal(decode(make_dicom(small, BitsStored=bits, **rescale), None), full)
    turned = make_dicom(small, BitsStored=bits, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(decode(turned, None), 255 - full)


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


def test_presets_are_those_of_the_parameters():
    assert {*HOUNSFIELD, MAMMOGRAPHY} == set(WINDOWS)


@pytest.mark.parametrize("name", ["lung", "bone", "brain"])
def test_preset_is_the_window_of_its_numbers(ramp, name):
    content = make_dicom((ramp.astype(int) + 1024).astype(np.uint16), **CT)
    center, width = HOUNSFIELD[name]
    assert np.array_equal(decode(content, name), windowed(ramp.astype(float), center, width))
    assert not np.array_equal(decode(content, name), decode(content, None))


def test_preset_in_hounsfield_units_is_for_ct_alone(ramp, photo):
    unscaled = {"Modality": "CT", "WindowCenter": 40, "WindowWidth": 400}
    for content in (
        make_dicom(ramp, **CT | {"Modality": "MR"}),
        make_dicom(ramp, **CT, RescaleType="US"),
        make_dicom(ramp, **unscaled),
        make_dicom(photo, **CT),
    ):
        decode(content, None)
        with pytest.raises(DecodeError, match="window lung is in Hounsfield units"):
            decode(content, "lung")
    item = Dataset()
    item.PixelValueTransformationSequence = Sequence([rescale(1, -1024)])
    enhanced = {"SharedFunctionalGroupsSequence": Sequence([item])}
    decoded = decode(make_dicom(ramp, **unscaled, **enhanced), "lung")
    assert np.array_equal(decoded, windowed(ramp - 1024.0, -600, 1500))


def test_mammogram_keeps_the_window_of_its_header(ramp):
    header = {"WindowCenter": 100, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"}
    content = make_dicom(ramp, Modality="MG", **header)
    assert np.array_equal(decode(content, MAMMOGRAPHY), decode(content, None))
    with pytest.raises(DecodeError, match="for mammograms"):
        decode(make_dicom(ramp, **CT), MAMMOGRAPHY)


@pytest.mark.parametrize(("photometric", "air"), [("MONOCHROME2", 0), ("MONOCHROME1", 4095)])
def test_mammogram_without_window_is_spread_over_the_breast(photometric, air):
    stored = np.full((64, 64), air, np.uint16)
    stored[:, 40:] = np.linspace(2000, 3000, 24)  # the breast is darker than the air, or brighter
    described = {"Modality": "MG", "BitsStored": 12, "PhotometricInterpretation": photometric}
    breast = decode(make_dicom(stored, **described), MAMMOGRAPHY)[:, 40:]
    assert breast.min() < 10 < 245 < breast.max()
    assert np.ptp(decode(make_dicom(stored, **described), None)[:, 40:].astype(int)) < 130


def test_shape_of_the_presentation_does_not_turn_twice(ramp):
    window = {"WindowCenter": 40, "WindowWidth": 400}
    turned = {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}
    plain = decode(make_dicom(ramp, **window), None)
    assert np.array_equal(decode(make_dicom(ramp, **window, **turned), None), 255 - plain)
    for photometric, shape, expected in (
        ("MONOCHROME1", "IDENTITY", 255 - plain),
        ("MONOCHROME2", "INVERSE", plain),
    ):
        turned = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape}
        assert np.array_equal(decode(make_dicom(ramp, **window, **turned), None), expected)


def test_negative_slope_turns_what_is_bright(ramp):
    decoded = decode(make_dicom(ramp, **CT | {"RescaleSlope": -1, "RescaleIntercept": 100}), None)
    assert np.array_equal(decoded, windowed(100.0 - ramp, 40, 400))
    assert decoded[0, 0] == 255


def test_modality_lookup_table_comes_before_the_window():
    stored = np.arange(256, dtype=np.uint16).reshape(16, 16)
    window = {"WindowCenter": 500, "WindowWidth": 1000}
    curve = table_of([value**2 // 64 for value in range(256)], bits=16)
    content = make_dicom(stored, ModalityLUTSequence=Sequence([curve]), **window)
    assert np.array_equal(decode(content, None), windowed(stored**2.0 // 64, 500, 1000))


def test_lookup_table_of_the_header_wins_over_its_window():
    stored = np.arange(256, dtype=np.uint16).reshape(16, 16)
    inverse = Sequence([table_of([65535 - 257 * value for value in range(256)], bits=16)])
    content = make_dicom(stored, VOILUTSequence=inverse, WindowCenter=40, WindowWidth=400)
    assert np.array_equal(decode(content, None), 255 - stored)
    assert np.array_equal(decode(content, [128, 256]), windowed(stored.astype(float), 128, 256))


def test_range_of_padding_does_not_count(ramp):
    padded = ramp.copy()
    padded[:20], padded[20:30] = -30000, -29000
    between = {"PixelPaddingValue": -30000, "PixelPaddingRangeLimit": -29000}
    assert np.array_equal(
        decode(make_dicom(padded, **between), None)[30:], decode(make_dicom(ramp[30:]), None)
    )


def test_each_frame_has_its_own_rescale(ramp):
    groups = []
    for intercept in (0, -500):
        item = Dataset()
        item.PixelValueTransformationSequence = Sequence([rescale(1, intercept)])
        groups.append(item)
    window = {"WindowCenter": 40, "WindowWidth": 400}
    content = make_dicom(
        np.stack([ramp, ramp]), PerFrameFunctionalGroupsSequence=Sequence(groups), **window
    )
    for frame, intercept in enumerate((0, -500)):
        assert np.array_equal(
            decode(content, None, frame), windowed(ramp + 1.0 * intercept, 40, 400)
        )


def rescale(slope, intercept):
    item = Dataset()
    item.RescaleSlope, item.RescaleIntercept, item.RescaleType = slope, intercept, "HU"
    return item


def table_of(entries, bits):
    """A lookup table whose first entry is for 0."""
    table = Dataset()
    for name, value in (("LUTDescriptor", [len(entries), 0, bits]), ("LUTData", entries)):
        table.add_new(name, "US", value)
    return table
