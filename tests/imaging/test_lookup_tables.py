"""Lookup tables whose descriptor and data contradict each other; DCMTK 3.6.7 was the other reader.

A ramp is looked up, so what is right can be told: 0 to 255 in the same order.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from worlds.deidentification import PSEUDONYMS
from worlds.dicom_files import make_dicom

from tasks.common.errors import DecodeError
from tasks.imaging.deidentification import deidentify
from tasks.imaging.dicom import decode
from tasks.imaging.lookup_tables import depth

STORED = np.arange(4096, dtype=np.uint16).reshape(64, 64)
SIGNED = (STORED.astype(int) - 2048).astype(np.int16)
RAMP = np.rint(STORED / 4095 * 255).astype(np.uint8)
STEPS = (STORED // 16).astype(np.uint8)  # what 8 bits have of it
ENTRIES = list(range(4096))
BYTES = STEPS.tobytes()
IDS = {"SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1"}


def swapped(data: bytes) -> bytes:
    return np.frombuffer(data, np.uint16).byteswap().tobytes()


def table(descriptor: list[int], data: Any, kind: str = "US", header: str = "US") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", header, descriptor)
    item.add_new("LUTData", kind, data)
    return Sequence([item])


def shown(
    stored: np.ndarray, syntax: UID = ExplicitVRLittleEndian, bits: int = 12, **header: Any
) -> np.ndarray:
    """The pixels, the same before and after de-identification."""
    written = stored.byteswap() if syntax == ExplicitVRBigEndian and stored.itemsize > 1 else stored
    content = make_dicom(written, syntax, BitsStored=bits, **IDS, **header)
    pixels = decode(content, None)
    clean = deidentify(content, PSEUDONYMS, "keep").content
    np.testing.assert_array_equal(decode(clean, None), pixels)
    return pixels


@pytest.mark.parametrize(
    ("declared", "largest", "bits"),
    [
        (16, 65535, 16),
        (12, 4095, 12),
        (8, 255, 8),
        (16, 4095, 12),  # Agfa's: filled to the last
        (16, 4000, 12),  # less than a 16th of what is declared
        (16, 255, 8),
        (12, 1023, 10),
        (16, 10000, 16),  # a sixth: dark on purpose, as both other readers have it
        (12, 2000, 12),
        (16, 32767, 16),  # half: signed numbers, or dark on purpose
        (12, 65535, 16),
        (8, 4095, 12),
        (10, 4095, 12),
        (0, 4095, 12),
        (65535, 4095, 12),
        (16, 0, 8),
    ],
)
def test_depth_is_that_of_the_entries_where_the_descriptor_cannot_be_right(declared, largest, bits):
    assert depth(declared, largest) == bits


@pytest.mark.parametrize("declared", [12, 16, 8, 10, 0])
def test_entries_of_fewer_or_more_bits_than_declared(declared):
    pixels = shown(STORED, VOILUTSequence=table([4096, 0, declared], ENTRIES))
    assert np.array_equal(pixels, RAMP)


def test_entries_of_16_bits_declared_as_12():
    pixels = shown(
        STORED, VOILUTSequence=table([4096, 0, 12], [16 * n + n // 256 for n in ENTRIES])
    )
    assert np.abs(pixels.astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("declared", [8, 16])
@pytest.mark.parametrize(
    ("syntax", "kind", "data"),
    [
        (ExplicitVRLittleEndian, "OW", BYTES),
        (ExplicitVRLittleEndian, "OB", BYTES),
        (ExplicitVRLittleEndian, "US", np.frombuffer(BYTES, "<u2").tolist()),
        (ImplicitVRLittleEndian, "OW", BYTES),
        (DeflatedExplicitVRLittleEndian, "OW", BYTES),
        (ExplicitVRBigEndian, "OW", swapped(BYTES)),
        (ExplicitVRBigEndian, "OB", BYTES),
        (ExplicitVRBigEndian, "US", np.frombuffer(BYTES, "<u2").tolist()),
    ],
)
def test_two_entries_of_8_bits_in_a_word(syntax, kind, data, declared):
    pixels = shown(STORED, syntax, VOILUTSequence=table([4096, 0, declared], data, kind))
    assert np.array_equal(pixels, STEPS)


def test_an_odd_number_of_bytes():
    data = BYTES[:-16] + bytes([255])
    pixels = shown(STORED, VOILUTSequence=table([4081, 0, 8], data + b"\0", "OW"))
    assert np.array_equal(pixels, STEPS)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_words_lie_as_the_file_has_them(syntax):
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    data = np.array(ENTRIES, order).tobytes()
    for name in ("VOILUTSequence", "ModalityLUTSequence"):
        header = {name: table([4096, 0, 12], data, "OW")}
        window = {"WindowCenter": 2048, "WindowWidth": 4096}
        assert np.array_equal(shown(STORED, syntax, **header, **window), RAMP)


RESCALED = {"RescaleSlope": 1, "RescaleIntercept": -1024}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("stored", "bits", "first", "kind", "header"),
    [
        (SIGNED, 12, 63488, "US", {}),
        (SIGNED, 16, 63488, "US", {}),
        (SIGNED, 12, -2048, "SS", {}),
        (STORED, 12, 64512, "US", RESCALED),
        (STORED, 12, -1024, "SS", RESCALED),
        (STORED + np.uint16(40000), 16, 40000, "US", {}),
        (STORED + np.uint16(40000), 16, -25536, "SS", {}),
    ],
)
def test_the_first_value_has_the_sign_of_what_is_looked_up(
    stored, bits, first, kind, header, syntax
):
    looked_up = table([4096, first, 12], ENTRIES, header=kind)
    assert np.array_equal(shown(stored, syntax, bits, VOILUTSequence=looked_up, **header), RAMP)
    if not header:
        window = {"WindowCenter": 2048, "WindowWidth": 4096}
        pixels = shown(stored, syntax, bits, ModalityLUTSequence=looked_up, **window)
        assert np.array_equal(pixels, RAMP)


def test_a_table_that_holds_another_number_of_entries():
    whole = [16 * n for n in range(2**16 // 16)] + [65535] * (2**16 - 2**12)
    data = np.array(whole, "<u2").tobytes()
    for kind in ("OW", "UN"):  # a US of this length is written as UN
        pixels = shown(STORED, VOILUTSequence=table([0, 0, 16], data, kind))
        assert np.abs(pixels.astype(int) - RAMP).max() <= 1
    longer = shown(STORED, VOILUTSequence=table([2048, 0, 12], ENTRIES))
    assert np.array_equal(longer, RAMP)
    shorter = shown(STORED, VOILUTSequence=table([4096, 0, 12], ENTRIES[:3000]))
    assert np.array_equal(shorter, np.minimum(RAMP, RAMP.ravel()[2999]))
    one = shown(STORED, VOILUTSequence=table([1, 0, 12], [4095]))
    assert np.unique(one).tolist() == [255]


def test_an_item_without_a_table_counts_as_none():
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    bare = Dataset()
    bare.add_new("LUTDescriptor", "US", [4096, 0, 12])
    usable = table([4096, 0, 12], ENTRIES[::-1])[0]
    for items, expected in (([bare], RAMP), ([Dataset()], RAMP), ([bare, usable], 255 - RAMP)):
        pixels = shown(STORED, VOILUTSequence=Sequence(items), **window)
        assert np.array_equal(pixels, expected)


def test_a_descriptor_without_three_numbers_is_refused():
    content = make_dicom(STORED, BitsStored=12, VOILUTSequence=table([4096, 0], ENTRIES))
    with pytest.raises(DecodeError, match="descriptor of 2 numbers"):
        decode(content, None)


@pytest.mark.parametrize("bits", [8, 12, 14, 16])
def test_a_modality_table_of_any_depth(bits):
    entries = [n * (2**bits - 1) // 4095 for n in ENTRIES]
    window = {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2**bits}
    pixels = shown(STORED, ModalityLUTSequence=table([4096, 0, bits], entries), **window)
    assert np.abs(pixels.astype(int) - RAMP).max() <= 1


def test_a_modality_table_is_read_past_its_declared_depth():
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    pixels = shown(STORED, ModalityLUTSequence=table([4096, 0, 8], ENTRIES), **window)
    assert np.array_equal(pixels, RAMP)
    packed = table([4096, 0, 8], BYTES, "OW")
    window = {"WindowCenter": 128, "WindowWidth": 256}
    assert np.array_equal(shown(STORED, ModalityLUTSequence=packed, **window), STEPS)


FLAT = np.arange(256, dtype=np.uint8).reshape(16, 16)
SHADES = (FLAT.ravel(), FLAT.ravel()[::-1].copy(), FLAT.ravel() // 2)
COLORS = np.dstack([shade[FLAT] for shade in SHADES])
PALETTE = {"PhotometricInterpretation": "PALETTE COLOR"}


def palette(descriptor: list[int], tables: Any, kind: str = "OW") -> dict[str, Any]:
    made: dict[str, Any] = dict(PALETTE)
    for color, data in zip(("Red", "Green", "Blue"), tables, strict=True):
        made[f"{color}PaletteColorLookupTableDescriptor"] = descriptor
        made[f"{color}PaletteColorLookupTableData"] = data
    return made


def in_words(scale: int, order: str = "<u2") -> list[bytes]:
    return [(shade.astype(np.uint16) * scale).astype(order).tobytes() for shade in SHADES]


@pytest.mark.parametrize("declared", [8, 16])
@pytest.mark.parametrize(
    "tables",
    [
        [shade.tobytes() for shade in SHADES],
        in_words(1),
        in_words(16),  # 12 bits
        in_words(256),
        in_words(257),
    ],
    ids=["bytes", "8 in words", "12", "high bytes", "16"],
)
def test_palettes_whose_descriptor_contradicts_the_data(tables, declared):
    pixels = shown(FLAT, bits=8, **palette([256, 0, declared], tables))
    assert np.abs(pixels.astype(int) - COLORS).max() <= 1


@pytest.mark.parametrize("declared", [8, 16])
def test_palettes_in_big_endian_files(declared):
    words = palette([256, 0, declared], in_words(257, ">u2"))
    assert np.array_equal(shown(FLAT, ExplicitVRBigEndian, 8, **words), COLORS)
    packed = palette([256, 0, declared], [swapped(shade.tobytes()) for shade in SHADES])
    assert np.array_equal(shown(FLAT, ExplicitVRBigEndian, 8, **packed), COLORS)


@pytest.mark.parametrize("count", [0, 128, 255, 300])
def test_palettes_of_another_length_than_they_say(count):
    assert np.array_equal(shown(FLAT, bits=8, **palette([count, 0, 16], in_words(257))), COLORS)


def test_a_palette_of_an_odd_number_of_bytes():
    made = palette([255, 0, 8], [shade[:255].tobytes() + b"\0" for shade in SHADES])
    pixels = shown(FLAT, bits=8, **made)
    expected = np.dstack([shade[np.minimum(FLAT, 254)] for shade in SHADES])
    assert np.array_equal(pixels, expected)


def test_a_palette_of_bytes_for_wide_pixels():
    wide = FLAT.astype(np.uint16) + 1000
    made = palette([256, 1000, 8], [shade.tobytes() for shade in SHADES])
    assert np.array_equal(shown(wide, bits=16, **made), COLORS)
    assert np.array_equal(shown(wide * 0 + 5000, bits=16, **made)[0, 0], COLORS[-1, -1])


@pytest.mark.parametrize("first", [-128, 65408])
def test_a_palette_for_signed_pixels(first):
    signed = (FLAT.astype(int) - 128).astype(np.int8)
    content = make_dicom(signed, ImplicitVRLittleEndian, **palette([256, 0, 16], in_words(257)))
    number = np.array([256, 0, 16], "<u2").tobytes()
    other = np.array([256, first % 65536, 16], "<u2").tobytes()
    assert content.count(number) == 3
    assert np.array_equal(decode(content.replace(number, other), None), COLORS)


def test_palettes_of_other_types():
    old = palette([256, 0, 16], [np.frombuffer(data, "<u2").tolist() for data in in_words(257)])
    item = Dataset()
    for name, value in old.items():
        if name.endswith("Data"):
            item.add_new(name, "US", value)
    content = with_elements(make_dicom(FLAT, **IDS, **palette([256, 0, 16], in_words(1))), item)
    assert np.array_equal(decode(content, None), COLORS)
    clean = deidentify(content, PSEUDONYMS, "keep").content
    assert np.array_equal(decode(clean, None), COLORS)


def with_elements(content: bytes, elements: Dataset) -> bytes:
    dataset, buffer = dcmread(io.BytesIO(content)), io.BytesIO()
    for element in elements:
        dataset[element.tag] = element
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_a_palette_without_one_colour_is_refused():
    made = palette([256, 0, 16], in_words(257))
    del made["BluePaletteColorLookupTableData"]
    with pytest.raises(DecodeError, match="without a table for blue"):
        decode(make_dicom(FLAT, **made), None)


def segmented(declared: int, *segments: list[int]) -> dict[str, Any]:
    made = palette([256, 0, declared], [b""] * 3)
    order = "u1" if declared == 8 else "<u2"
    for color, numbers in zip(("Red", "Green", "Blue"), segments, strict=True):
        del made[f"{color}PaletteColorLookupTableData"]
        data = np.array(numbers, order).tobytes()
        made[f"Segmented{color}PaletteColorLookupTableData"] = data + bytes(len(data) % 2)
    return made


def test_a_palette_in_segments():
    """Of points and of lines (PS3.3 C.7.9.2)."""
    scale = {8: 1, 16: 257}
    for bits, step in scale.items():
        up = [0, 1, 0, 1, 255, 255 * step]
        down = [0, 2, 255 * step, 254 * step, 1, 254, 0]
        flat = [0, 1, 100 * step, 1, 255, 100 * step]
        pixels = shown(FLAT, bits=8, **segmented(bits, up, down, flat))
        expected = np.dstack([FLAT, 255 - FLAT, np.full_like(FLAT, 100)])
        assert np.abs(pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("segments", [[1, 9, 9], [0, 1, 5, 2, 1, 0, 0], [9, 9, 9]])
def test_segments_that_readers_disagree_on_are_refused(segments):
    with pytest.raises(DecodeError, match="segments of a kind"):
        decode(make_dicom(FLAT, **segmented(16, segments, segments, segments)), None)
