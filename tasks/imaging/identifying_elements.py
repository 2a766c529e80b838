"""Values of a DICOM header that name a person or a place, for a search for them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import DicomDictionary, tag_for_keyword

LEAST = 3  # characters of a value that is worth a search
KEYWORDS = """
    PatientID IssuerOfPatientID OtherPatientIDs PatientAddress PatientTelephoneNumbers
    PatientTelecomInformation MedicalRecordLocator AccessionNumber StudyID AdmissionID
    InstitutionName InstitutionAddress StationName DeviceSerialNumber PersonAddress
    PersonTelephoneNumbers PersonTelecomInformation ReferringPhysicianAddress
    ReferringPhysicianTelephoneNumbers ResponsibleOrganization RequestedProcedureID
    ScheduledProcedureStepID PerformedProcedureStepID PlacerOrderNumberImagingServiceRequest
    FillerOrderNumberImagingServiceRequest ClinicalTrialSubjectID ClinicalTrialSiteName
    StudyInstanceUID SeriesInstanceUID SOPInstanceUID"""
TEXTS = frozenset(tag_for_keyword(word) for word in KEYWORDS.split())
NAMES = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "PN")
SEQUENCES = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")


def identifying(dataset: Dataset) -> frozenset[str]:
    """Names (whole and in components), ids, addresses and telephone numbers as they stand there.

    Those inside sequences too; of private elements, names.
    """
    return frozenset(value for value in _values(dataset) if len(value) >= LEAST)


def _values(dataset: Dataset) -> Iterator[str]:
    for tag in list(dataset.keys()):
        kind = dataset.get_item(tag).VR  # without reading the value
        if kind == "SQ" or tag in SEQUENCES:
            element = dataset[tag]
            for item in element.value if element.VR == "SQ" else ():
                yield from _values(item)
        elif kind == "PN" or tag in NAMES:
            for text in _texts(dataset, tag):
                parts = text.replace("=", "^").split("^")
                yield from (part.strip() for part in (*parts, " ".join(parts)))
        elif tag in TEXTS:
            yield from (text.strip() for text in _texts(dataset, tag))


def _texts(dataset: Dataset, tag: int) -> list[str]:
    element = dataset[tag]
    return [str(value or "") for value in (element.value if element.VM > 1 else [element.value])]
