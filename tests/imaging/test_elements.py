"""Empty is absent, whatever element it is, and training and serving read alike."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.encaps import encapsulate_extended
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from worlds.deidentification import PSEUDONYMS, dicom, read

from tasks.common.errors import DecodeError
from tasks.imaging.deidentification import deidentify
from tasks.imaging.dicom import decode
from tasks.imaging.elements import ALLOWED, DECIDING, TERMS, TYPES, settle

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value", "ignore:Unknown encoding")

PIXELS = np.arange(64, dtype="<u2") * 40
IN_8_BITS = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}


def item(**elements: object) -> Sequence:
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return Sequence([made])


def table(bits: int = 16, entries: int = 256) -> Sequence:
    made = Dataset()
    made.add_new("LUTDescriptor", "US", [entries, 0, bits])
    made.add_new("LUTData", "US", [value * 99 % 65536 for value in range(entries)])
    return Sequence([made])


def written(content: bytes, change: Callable[[Dataset], object]) -> bytes:
    dataset, buffer = read(content), io.BytesIO()
    change(dataset)
    dataset.save_as(buffer)
    return buffer.getvalue()


def grey(syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    """With every element that a grey picture of one frame can have."""
    content = dicom(
        syntax,
        PixelData=PIXELS.tobytes()
        if syntax != ExplicitVRBigEndian
        else PIXELS.byteswap().tobytes(),
        **{"WindowCenter": [900, 40], "WindowWidth": [2000, 400], "VOILUTFunction": "LINEAR_EXACT"},
        **{"RescaleSlope": 2, "RescaleIntercept": -1024, "RescaleType": "HU"},
        **{"NumberOfFrames": 1, "PixelAspectRatio": [1, 1], "PresentationLUTShape": "IDENTITY"},
        **{"PixelPaddingValue": 63, "PixelPaddingRangeLimit": 40, "LossyImageCompression": "00"},
        **{"SmallestImagePixelValue": 0, "LargestImagePixelValue": 63, "SliceThickness": 1},
        **{"PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1, "KVP": 120},
        **{"LossyImageCompressionRatio": 3, "LossyImageCompressionMethod": "ISO_10918_1"},
        **{"PixelSpacing": [1, 1], "ImagerPixelSpacing": [1, 1], "SpacingBetweenSlices": 1},
        **{"SliceLocation": 4, "ImagePositionPatient": [1, 2, 3], "PatientPosition": "HFS"},
        **{"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PatientOrientation": ["L", "P"]},
        **{"ViewPosition": "AP", "Laterality": "L", "ImageLaterality": "L", "InstanceNumber": 4},
        **{"FrameOfReferenceUID": "1.2.7", "SeriesDate": "20240412", "ContentDate": "20240412"},
        **{"AcquisitionDate": "20240412", "BurnedInAnnotation": "NO"},
        **{"ImageType": ["ORIGINAL", "PRIMARY"], "SpecificCharacterSet": "ISO_IR 100"},
        **{"AccessionNumber": "7", "InstitutionName": "Elmswick", "OtherPatientIDs": "8"},
    )
    return written(content, lambda file: file.add_new((0x6000, 0x0102), "US", 15))


def looked_up() -> bytes:
    return dicom(PixelData=PIXELS.tobytes(), ModalityLUTSequence=table(), VOILUTSequence=table(12))


def palette() -> bytes:
    tables: dict[str, object] = {}
    for color in ("Red", "Green", "Blue"):
        tables[f"{color}PaletteColorLookupTableDescriptor"] = [64, 0, 16]
        tables[f"{color}PaletteColorLookupTableData"] = (PIXELS * 20).tobytes()
    stored = np.arange(64, dtype=np.uint16).tobytes()
    return dicom(PhotometricInterpretation="PALETTE COLOR", PixelData=stored, **tables)


def enhanced() -> bytes:
    shared = item(
        PixelValueTransformationSequence=item(
            RescaleSlope=2, RescaleIntercept=-900, RescaleType="HU"
        ),
        PixelMeasuresSequence=item(PixelSpacing=[1, 1], SliceThickness=2),
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    windows = [
        item(
            FrameVOILUTSequence=item(
                WindowCenter=center, WindowWidth=900, VOILUTFunction="SIGMOID"
            ),
            PlanePositionSequence=item(ImagePositionPatient=[1, 2, 3]),
        )[0]
        for center in (40, 900)
    ]
    return dicom(
        PixelData=np.concatenate([PIXELS, PIXELS[::-1]]).tobytes(),
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=Sequence(windows),
    )


def coded() -> bytes:
    frames = [cv2.imencode(".jpg", np.dstack([PIXELS.reshape(8, 8) // 10] * 3))[1].tobytes()] * 2
    names = ("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    return dicom(
        JPEGBaseline8Bit,
        NumberOfFrames=2,
        **{"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "YBR_FULL"},
        **IN_8_BITS,
        **dict(zip(names, encapsulate_extended(frames), strict=True)),
    )


FILES = {
    "grey": grey(),
    "implicit": grey(ImplicitVRLittleEndian),
    "big endian": grey(ExplicitVRBigEndian),
    "looked up": looked_up(),
    "palette": palette(),
    "enhanced": enhanced(),
    "coded": coded(),
}


AT_RISK = {"ConversionType": "DV", "ImageType": "SCREEN SAVE", "Modality": "US"}


def outcome(content: bytes) -> tuple[object, ...]:
    """What serving and training make of a file: pixels of the file and of its copy, and its row."""
    clean = attempt(lambda: deidentify(content, PSEUDONYMS, "quarantine"))
    served, row = attempt(lambda: decode(content, None)), getattr(clean, "attributes", clean)
    trained = attempt(lambda: decode(clean.content, None)) if row is not clean else clean
    return served, trained, row


def attempt(do: Callable[[], object]) -> object:
    try:
        made = do()
    except DecodeError as error:
        return str(error)
    return made.tolist() if isinstance(made, np.ndarray) else made


def places(dataset: Dataset, above: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where elements stand: tags and numbers of items from the outermost in."""
    for element in dataset:
        yield (*above, element.tag)
        for number, inner in enumerate(element.value if element.VR == "SQ" else []):
            yield from places(inner, (*above, element.tag, number))


def holder(dataset: Dataset, place: tuple[object, ...]) -> Dataset:
    for tag, number in zip(place[:-1:2], place[1:-1:2], strict=True):
        dataset = dataset[tag].value[number]
    return dataset


def emptied(place: tuple[object, ...], blank: bool) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        element = holder(dataset, place)[place[-1]]
        nothing = {"SQ": [], "OW": b"", "OB": b""}.get(element.VR)
        element.value = " " if blank else nothing

    return change


def without(place: tuple[object, ...]) -> Callable[[Dataset], None]:
    return lambda dataset: holder(dataset, place).__delitem__(place[-1])


BLANKS = ("CS", "DS", "IS", "LO", "SH", "AS", "DA", "PN")  # where blanks alone are no value either


@pytest.mark.parametrize("name", FILES)
def test_an_empty_element_is_an_absent_one(name):
    content = FILES[name]
    whole, mattered = outcome(content), 0
    assert whole[0] == whole[1]
    assert not isinstance(whole[0], str)
    for place in places(read(content)):
        if name == "coded" and keyword_for_tag(place[-1]) == "PixelData":
            continue  # nothing empty can be written there
        absent = outcome(written(content, without(place)))
        kind = holder(read(content), place)[place[-1]].VR
        for blank in (False, True) if kind in BLANKS else (False,):
            told = f"{keyword_for_tag(place[-1])} {blank=}"
            assert outcome(written(content, emptied(place, blank))) == absent, told
        mattered += absent != whole
    assert mattered > 8


@pytest.mark.parametrize("name", AT_RISK)
def test_an_empty_element_puts_nothing_at_risk(name):
    content = dicom(**{name: AT_RISK[name]})
    assert "often carries names" in str(outcome(content)[2])
    kept = outcome(dicom(**{name: ""}))
    assert kept == outcome(written(content, without((tag_for_keyword(name),))))
    assert kept[2]["patient_id"]


def cases(value: str) -> tuple[str, ...]:
    return value.lower(), value.title(), f" {value}", f"{value} ", f"{value.lower()}\0"


@pytest.mark.parametrize(
    ("name", "keyword", "value"),
    [
        ("grey", "PhotometricInterpretation", "MONOCHROME1"),
        ("grey", "VOILUTFunction", "SIGMOID"),
        ("grey", "LossyImageCompression", "01"),
        ("grey", "RescaleType", "HU"),
        ("grey", "Modality", "CT"),
        ("grey", "PresentationLUTShape", "INVERSE"),
        ("grey", "PatientSex", "M"),
        ("palette", "PhotometricInterpretation", "PALETTE COLOR"),
        ("coded", "PhotometricInterpretation", "YBR_FULL_422"),
        ("coded", "PhotometricInterpretation", "RGB"),
    ],
)
def test_a_term_is_one_in_any_letters(name, keyword, value):
    def spelt(as_written: str) -> bytes:
        return written(FILES[name], lambda file: setattr(file, keyword, as_written))

    expected = outcome(spelt(value))
    assert not isinstance(expected[1], str)
    assert all(outcome(spelt(other)) == expected for other in cases(value))


def test_a_name_stays_no_term():
    """In capitals it would pass as a code."""
    for keyword in TERMS:
        dataset = Dataset()
        setattr(dataset, keyword, "Smithy")
        settle(dataset)
        assert "SMITHY" not in str(dataset.get(keyword))


def test_terms_that_nobody_knows_are_none():
    """An unknown function is the default one, as in DCMTK; an unknown unit is none of ours."""
    plain = outcome(written(FILES["grey"], without((tag_for_keyword("VOILUTFunction"),))))
    other = outcome(written(FILES["grey"], lambda file: setattr(file, "VOILUTFunction", "GAMMA")))
    assert other == plain
    units = written(FILES["grey"], lambda file: setattr(file, "RescaleType", "furlongs"))
    for content in (units, deidentify(units, PSEUDONYMS).content):
        with pytest.raises(DecodeError, match="no CT with a rescale"):
            decode(content, "lung")


def test_what_cannot_be_read_is_refused_where_it_decides_the_pixels_and_else_left_out():
    for keyword, value in (("WindowCenter", "4,5"), ("RescaleSlope", "two")):
        content = dicom(**{keyword: "1.25"}).replace(b"1.25", value.encode().ljust(4)[:4])
        assert outcome(content)[:2] == (f"broken DICOM: {keyword} holds something else",) * 2
    content = dicom(SliceThickness="1.25").replace(b"1.25", b"1,25")
    assert "SliceThickness" not in read(deidentify(content, PSEUDONYMS).content)
    assert outcome(content) == outcome(dicom())


def test_a_file_says_what_it_lacks():
    content = written(FILES["grey"], without((tag_for_keyword("BitsStored"),)))
    assert outcome(content)[:2] == ("DICOM without BitsStored",) * 2


@pytest.mark.parametrize("count", ["0", "-3", "0.3", ".3"])
def test_no_frames_are_refused(count):
    for name in ("grey", "coded"):
        content = written(FILES[name], lambda file: setattr(file, "NumberOfFrames", 77))
        content = content.replace(b"IS\2\x0077", b"IS\4\x00" + count.encode().ljust(4))
        served, trained, _ = outcome(content)
        assert served == trained
        assert "NumberOfFrames" in str(served)


def test_what_decides_is_kept():
    assert DECIDING < ALLOWED
    assert TYPES.keys() == ALLOWED
