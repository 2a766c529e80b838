"""What the sources of public collections share: series, the choice among them, and their record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.common.documents import write_json
from tasks.common.errors import SourceError
from tasks.sources import Listing, dicom
from tasks.sources.transfer import spell_size

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True)
class Series:
    """What an archive says of one series.

    Attributes:
        images: files of it; 0 where the archive does not say.
        size: their total in bytes; 0 where the archive does not say.
        about: the page or DOI of the data, to be cited.
    """

    uid: str
    study: str
    patient: str
    images: int
    size: int
    licence: str
    about: str


def narrow(found: Sequence[Series], pull: Pull, kind: str) -> list[Series]:
    """Only the series that `pull.labels.table` names, where its key can tell.

    Labels are read here, before anything is downloaded, so that their mistakes cost no time.

    Raises:
        SourceError: the labels cannot be used, or the table names none of the series.
    """
    named = dicom.load_labels(pull, kind).by_key
    key = pull.labels.key
    ids = {
        "SeriesInstanceUID": [one.uid for one in found],
        "StudyInstanceUID": [one.study for one in found],
        "PatientID": [one.patient for one in found],
    }
    if not pull.labels.table or key not in ids:
        return list(found)
    kept = [one for one, value in zip(found, ids[key], strict=True) if value in named]
    if not kept:
        raise SourceError(
            f"pull.labels.table names {len(named):,} values of {key}, and none of them is among "
            f"the {len(found):,} series of {pull.collection.name}: check pull.labels.key"
        )
    return kept


def list_series(
    root: Path, selected: Sequence[Series], pull: Pull, kind: str, archive: str, cite: Sequence[str]
) -> Listing:
    """The images of the series under `root`; a note and `<root>.SOURCE.json` say where they come
    from, under which licences, and what to cite.
    """
    source: dict[str, Any] = {
        "archive": archive,
        **pull.collection.model_dump(),
        "series": len(selected),
        "bytes": sum(one.size for one in selected),
        "licences": sorted({one.licence for one in selected}),
        "cite": [*sorted({one.about for one in selected}), *cite],
    }
    write_json(root.with_name(f"{root.name}.SOURCE.json"), source)
    note = (
        f"{source['name']} from {archive}: {source['series']:,} series, "
        f"{spell_size(source['bytes'])}; licence: {', '.join(source['licences'])}; "
        f"cite {'; '.join(source['cite'])}"
    )
    listed = dicom.list_tree(root, pull, kind, [note])
    uids = {one.uid for one in selected}  # an earlier, wider choice left others beside them
    items = [item for item in listed.items if item.name.partition("/")[0] in uids]
    return replace(listed, items=items)


def folder_name(collection: str) -> str:
    """A collection's name as the name of a folder: `RIDER Lung CT` -> `RIDER_Lung_CT`."""
    return re.sub(r"[^\w-]+", "_", collection)
