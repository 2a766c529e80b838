"""The Basic Application Confidentiality Profile of DICOM PS3.15 Annex E with the project's options.

The table of what to do with which attribute and its walker are those of dicom-anonymizer. The
walker keeps to one level, so `Profile.apply` is called for each item of each sequence. Two options
of the standard set some actions aside: dates are shifted (113107), sex and age band stay (113108).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from tasks.privacy.pseudonyms import Pseudonyms

Tag = tuple[int, int]
Action = Callable[[Dataset, Tag], None]

EDITION = "2026c"
STANDARD_UIDS = "1.2.840.10008."  # the standard's own: kinds of object, not objects
STANDARD_UID = re.compile(re.escape(STANDARD_UIDS) + r"[0-9.]+")

BASIC = (("113100", "Basic Application Confidentiality Profile"),)
MODIFIED_DATES = (("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),)
CHARACTERISTICS = (("113108", "Retain Patient Characteristics Option"),)


def _tags(keywords: str) -> frozenset[Tag]:
    tags = (BaseTag(tag_for_keyword(word) or 0) for word in keywords.split())
    return frozenset((tag.group, tag.element) for tag in tags)


UIDS = _tags("SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID SOPClassUID")
DATES = _tags("StudyDate SeriesDate AcquisitionDate ContentDate")
STANDARDIZED = _tags("SOPClassUID FrameOfReferenceUID")  # what the standard gives UIDs to
KEPT = _tags("PatientSex")
TABLE: dict[Tag, Action] = initialize_actions(f"dicomfields_{EDITION}")


class Profile:
    """What is done to one file.

    Args:
        pseudonyms: the key behind UIDs and the shift of dates.
        identity: whose shift it is: the patient's, or without an id the study's; without either
            no date is kept, since one shift for all who have none would be easy to guess.
    """

    def __init__(self, pseudonyms: Pseudonyms, identity: str) -> None:
        self._pseudonyms = pseudonyms
        self._shift = timedelta(pseudonyms.date_shift(identity)) if identity else None

    def apply(self, dataset: Dataset) -> None:
        """Change one level of a dataset in place; items of its sequences are left alone."""
        tags = ((tag.group, tag.element) for tag in list(dataset.keys()))
        rules = {tag: rule for tag in tags if (rule := self._rule(tag))}
        # Nothing private is left to delete: the allow-list holds no such tag.
        anonymize_dataset(dataset, delete_private_tags=False, base_rules_gen=lambda: rules)

    def record(self, dataset: Dataset) -> None:
        """Say in the file what was done to it, by the codes of CID 7050 (PS3.16)."""
        codes = BASIC + (MODIFIED_DATES if self._shift else ()) + CHARACTERISTICS
        dates = "dates shifted" if self._shift else "dates removed"
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = [
            f"Medloop allow-list, PS3.15 Basic Profile of {EDITION}",
            f"keyed UIDs, {dates}, times removed, age in decades",
        ]
        dataset.DeidentificationMethodCodeSequence = Sequence(_coded(*code) for code in codes)
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if self._shift else "REMOVED"

    def _rule(self, tag: Tag) -> Action | None:
        if tag in UIDS:
            return self._key_uid
        if tag in DATES:
            return self._shift_date
        return None if tag in KEPT else TABLE.get(tag)

    def _key_uid(self, dataset: Dataset, tag: Tag) -> None:
        uid = str(dataset[tag].value or "")
        if uid and not (tag in STANDARDIZED and STANDARD_UID.fullmatch(uid)):
            dataset[tag].value = self._pseudonyms.uid(uid)

    def _shift_date(self, dataset: Dataset, tag: Tag) -> None:
        try:
            dataset[tag].value = self._shifted(str(dataset[tag].value))
        except (ValueError, OverflowError):  # no date, or one too early to be shifted
            del dataset[tag]

    def _shifted(self, text: str) -> str:
        if self._shift is None:
            raise ValueError("nobody to shift dates for")
        return (date.fromisoformat(text) - self._shift).strftime("%Y%m%d")


@cache
def _coded(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item
