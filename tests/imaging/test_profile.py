"""The Basic Profile of PS3.15 with our options, and the allow-list held against its table."""

from __future__ import annotations

from datetime import date

import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.sequence import Sequence
from pydicom.sr import codes
from worlds.deidentification import PSEUDONYMS, clean, dicom, read

from tasks.imaging import profile
from tasks.imaging.deidentification import deidentify
from tasks.imaging.elements import ALLOWED
from tasks.privacy.pseudonyms import Pseudonyms


def pair(tag: int) -> tuple[int, int]:
    return tag >> 16, tag & 0xFFFF


def day(content: bytes, keyword: str = "StudyDate") -> date:
    return date.fromisoformat(read(content)[keyword].value)


def test_what_is_allowed_the_profile_leaves_alone_or_an_option_covers():
    covered = profile.UIDS | profile.DATES | profile.KEPT
    touched = {keyword_for_tag(t) for t in ALLOWED if pair(t) in profile.TABLE}
    assert touched == {keyword_for_tag((g << 16) + e) for g, e in covered} - {"SOPClassUID"}
    assert len(profile.TABLE) > 600


def test_every_uid_and_date_that_is_allowed_is_changed():
    changed = {"UI": profile.UIDS, "DA": profile.DATES, "DT": set(), "TM": set(), "PN": set()}
    for tag in ALLOWED:
        if (kind := dictionary_VR(tag)) in changed:
            assert pair(tag) in changed[kind], keyword_for_tag(tag)


def test_the_profile_removes_what_an_allow_list_would_let_through():
    dataset = Dataset()
    dataset.StudyDescription, dataset.Modality = "for somebody", "CT"
    profile.Profile(PSEUDONYMS, "A").apply(dataset)
    assert "StudyDescription" not in dataset
    assert dataset.Modality == "CT"


def test_dates_go_back_by_the_days_of_the_patient():
    elements = {"SeriesDate": "20240413", "AcquisitionDate": "20240415", "ContentDate": "20240412"}
    content = clean(dicom(**elements, StudyTime="101112")).content
    shift = date(2024, 4, 12) - day(content)
    assert shift.days == PSEUDONYMS.date_shift(read(dicom()).PatientID)
    assert (day(content, "SeriesDate") - day(content)).days == 1
    assert (day(content, "AcquisitionDate") - day(content)).days == 3
    assert day(content, "ContentDate") == day(content)
    assert "StudyTime" not in read(content)


def test_a_patient_keeps_the_shift_and_others_have_their_own():
    again = clean(dicom(StudyInstanceUID="1.2.9")).content
    assert day(again) == day(clean(dicom()).content)
    assert day(clean(dicom(PatientID="B")).content) != day(again)
    assert day(deidentify(dicom(), Pseudonyms(b"another key")).content) != day(again)
    shifts = {PSEUDONYMS.date_shift(str(number)) for number in range(500)}
    assert 1 <= min(shifts) < 200
    assert 3450 < max(shifts) <= 3650


def test_without_patient_the_study_shifts_and_without_study_dates_go():
    study = clean(dicom(PatientID="")).content
    assert (date(2024, 4, 12) - day(study)).days == PSEUDONYMS.date_shift("1.2.3")
    nobody = read(clean(dicom(PatientID="", StudyInstanceUID="")).content)
    assert "StudyDate" not in nobody
    assert nobody.LongitudinalTemporalInformationModified == "REMOVED"
    assert "113107" not in recorded(nobody)


@pytest.mark.parametrize("value", ["2024", "00010101", "20241399", "2024.04.12", ""])
def test_what_cannot_be_shifted_goes(value):
    original = dicom()
    file = read(original)
    assert file.StudyDate == "20240412"
    padded = value.encode().ljust(8, b" ")[:8]
    content = clean(original.replace(b"20240412", padded)).content
    assert "StudyDate" not in read(content)


def recorded(dataset: Dataset) -> dict[str, str]:
    items = dataset.DeidentificationMethodCodeSequence
    assert {item.CodingSchemeDesignator for item in items} == {"DCM"}
    return {item.CodeValue: item.CodeMeaning for item in items}


def test_the_method_is_recorded_in_codes_of_the_standard():
    after = read(clean(dicom()).content)
    assert after.PatientIdentityRemoved == "YES"
    assert after.LongitudinalTemporalInformationModified == "MODIFIED"
    assert all(len(text) <= 64 for text in after.DeidentificationMethod)
    concepts = codes.cid7050.concepts.values()
    standard = {code.value: code.meaning for code in concepts}
    assert set(recorded(after)) == {"113100", "113107", "113108"}
    assert recorded(after).items() <= standard.items()


def test_uids_inside_sequences_are_keyed_and_dates_shifted():
    group = Dataset()
    group.FrameOfReferenceUID, group.StudyDate, group.PatientName = "1.2.77", "20240412", "Nobody"
    content = clean(dicom(SharedFunctionalGroupsSequence=Sequence([group]))).content
    inner = read(content).SharedFunctionalGroupsSequence[0]
    assert inner.FrameOfReferenceUID == PSEUDONYMS.uid("1.2.77")
    assert inner.StudyDate == read(content).StudyDate
    assert "PatientName" not in inner


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("name", ["", "Study", "Series"])
def test_only_what_the_standard_gives_out_keeps_its_uid(name):
    """A name behind the standard's root would pass, and ids of objects are never the standard's."""
    where = f"{name}InstanceUID" if name else "FrameOfReferenceUID"
    known = "1.2.840.10008.1.4.1.1"  # Talairach's brain
    for uid in (known, "1.2.840.10008.QUILLFEATHER"):
        content = clean(dicom(**{where: uid})).content
        kept = not name and uid == known
        assert read(content)[where].value == (uid if kept else PSEUDONYMS.uid(uid))
        assert b"QUILLFEATHER" not in content
