"""De-identification of DICOM headers: an allow-list, keyed ids, and what is told to the cohort."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from worlds.deidentification import NAME, PSEUDONYMS, SECRET, clean, dicom, read

from tasks.common.errors import DecodeError
from tasks.imaging.deidentification import deidentify
from tasks.privacy.pseudonyms import Pseudonyms


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_dicom_keeps_pixels_and_what_they_mean(syntax):
    original = dicom(syntax)
    before, after = read(original), read(clean(original).content)
    assert after.PixelData == before.PixelData
    assert after.file_meta.TransferSyntaxUID == syntax
    for keyword in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "Modality"):
        assert after[keyword].value == before[keyword].value
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)


def test_dicom_loses_identity():
    original = dicom()
    result = clean(original)
    after = read(result.content)
    assert original.count(SECRET) >= 5
    assert SECRET not in result.content
    for value in (b"20240412", b"19630412", b"1.2.3.4", b"061Y"):
        assert value not in result.content
    assert after.preamble == b"\0" * 128
    assert after.PatientIdentityRemoved == "YES"
    assert not [element for element in after if element.tag.is_private]
    assert after.PatientAge == "060Y"


def test_dicom_identifiers_are_keyed_and_stable():
    result, again = clean(dicom()), clean(dicom(InstanceNumber=2))
    other = deidentify(dicom(), Pseudonyms(b"another key"))
    after = read(result.content)
    assert result.attributes["patient_id"] == again.attributes["patient_id"] == after.PatientID
    assert result.attributes["patient_id"] != other.attributes["patient_id"]
    assert result.attributes["study_id"] == PSEUDONYMS.uid("1.2.3") == after.StudyInstanceUID
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID
    assert after.SOPClassUID == CTImageStorage


def test_dicom_tells_the_cohort_age_band_sex_and_device():
    attributes = clean(dicom()).attributes
    assert {k: attributes[k] for k in ("age_band", "sex", "device")} == {
        "age_band": "60-69",
        "sex": "F",
        "device": "Maker Model 1",
    }
    bare = clean(dicom(PatientID="", PatientAge="", PatientSex="", Manufacturer="")).attributes
    assert bare.keys().isdisjoint({"patient_id", "age_band", "sex"})


def test_allow_list_holds_inside_sequences():
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTExplanation = [2, 0, 8], NAME
    lut["LUTDescriptor"].VR = "US"
    lut.add_new("LUTData", "OW", b"\x01\x02")
    other = Dataset()
    other.PatientName = NAME
    original = dicom(VOILUTSequence=Sequence([lut]), ReferencedPatientSequence=Sequence([other]))
    after = read(clean(original).content)
    assert SECRET not in clean(original).content
    assert after.VOILUTSequence[0].LUTData == b"\x01\x02"
    assert "ReferencedPatientSequence" not in after


def test_code_strings_carry_no_names():
    original = dicom(BodyPartExamined="CHEST").replace(b"CHEST ", b"Smithy")
    assert b"Smithy" in original
    assert b"Smithy" not in clean(original).content


@pytest.mark.parametrize(
    ("value", "kept"),
    [("HU", "HU"), ("PCT", "PCT"), ("hu", "HU"), ("", None), (NAME, "US"), (None, None)],
)
def test_rescale_type_passes_as_a_defined_term_only(value, kept):
    after = read(clean(dicom(**({} if value is None else {"RescaleType": value}))).content)
    assert after.get("RescaleType") == kept


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (dicom(BurnedInAnnotation="YES"), "BurnedInAnnotation"),
        (dicom(PixelData=b""), "without pixel data"),
        (dicom()[:140], "DICOM"),
        (b"\0" * 128 + b"DICM" + SECRET * 9, "DICOM"),
    ],
)
def test_unusable_dicom_is_refused_without_quoting_it(content, reason):
    with pytest.raises(DecodeError, match=reason) as caught:
        clean(content)
    assert NAME not in str(caught.value)


def test_cohort_is_told_modality_body_part_bits_and_compression():
    attributes = clean(dicom()).attributes
    told = ("modality", "body_part", "bits", "compression")
    assert [attributes[column] for column in told] == [
        "CT",
        "CHEST",
        12,
        "Explicit VR Little Endian",
    ]
    assert "body_part" not in clean(dicom(BodyPartExamined="")).attributes


def test_no_code_no_column():
    original = dicom().replace(b"CHEST ", b"Smithy")
    assert "body_part" not in clean(original).attributes


def test_identifying_values_are_handed_back():
    operator = Dataset()
    operator.PersonName, operator.PersonTelephoneNumbers = "Wolfhardt^Pimpernelle", "555-0199-8731"
    original = dicom(
        OtherPatientIDs=["OLD-1", "OLD-22"],
        AccessionNumber="ACC-7",
        InstitutionName=" St. Elmswick ",
        StudyID="5",
        PersonIdentificationCodeSequence=Sequence([operator]),
    )
    values = clean(original).identifiers
    assert values >= {NAME, "Anselmina", f"{NAME} Anselmina", f"MRN-{NAME}", "OLD-1", "OLD-22"}
    assert values >= {"ACC-7", "St. Elmswick", "Pimpernelle", "555-0199-8731", "1.2.3", "1.2.3.4"}
    assert all(len(value) >= 3 and value == value.strip() for value in values)
    assert values.isdisjoint({"CT", "CHEST", "Maker", "061Y"})


def test_implicit_coding_hands_back_the_same_values():
    person = Dataset()
    person.PersonName = "Hieronyma^Vandersnoot"
    elements = {"PersonIdentificationCodeSequence": Sequence([person])}
    explicit = clean(dicom(**elements)).identifiers
    assert "Vandersnoot" in explicit
    assert clean(dicom(ImplicitVRLittleEndian, **elements)).identifiers == explicit
