"""The REST interface of TCIA's NBIA server.

Series are downloaded as zips, each file held to the md5 that the server gives with it, and appear
in their folder only when whole. A zip is made by the server as it is sent, so a series is what a
break costs; those that are whole stay.

Interface: resources and fields as in NBIA's own source (github CBIIT/NBIA-TCIA, `restAPI/v4`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.common.errors import SourceError
from tasks.sources import series_folder, transfer
from tasks.sources.collection import UID, Series

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

URL_VARIABLE = "MEDLOOP_NBIA_URL"  # another server or version of the interface
URL = "https://nbia.cancerimagingarchive.net/nbia-api/services/v4"
OTHER_WAYS = (
    f"Other ways: set {URL_VARIABLE} to another server of this interface; or fetch the collection "
    "with the NBIA Data Retriever, under your account if it is restricted, and take pull.source "
    "dicom; or take pull.source idc, where Imaging Data Commons has it under another name"
)
WHY = {
    **dict.fromkeys((401, 403), "It wants an account, as restricted collections do"),
    **dict.fromkeys((404, 410), "The interface is gone from there"),
}
UNKNOWN_SIZE = 20 * 10**9  # bytes allowed to a series of which the server does not say the size
SLACK = 100 * 10**6  # bytes allowed above the size that the server says


def find(line: transfer.Line, url: str, pull: Pull) -> list[Series]:
    """The series of a collection, modality and body part, in the order of their UIDs.

    Raises:
        SourceError: the server has none, or does not answer as NBIA does.
    """
    wanted = {
        "Collection": pull.collection.name,
        "Modality": pull.collection.modality,
        "BodyPartExamined": pull.collection.body_part,
    }
    query = {name: value for name, value in wanted.items() if value}

    def attempt() -> list[Series]:
        return _parse(line.read(f"{url}/getSeries", query | {"format": "json"}))

    try:
        found = line.retrying(attempt)
    except SourceError as error:
        why = WHY.get(getattr(error, "status", 0), "Pull again later")
        raise SourceError(
            f"the list of series could not be had from {url}: {error}. {why}. {OTHER_WAYS}"
        ) from None
    if not found:
        raise SourceError(
            f"{url} has no public series with {query}: pull.collection takes the names as "
            "cancerimagingarchive.net spells them (TCGA-LUAD, CT, CHEST), and restricted "
            f"collections are not given here. {OTHER_WAYS}"
        )
    return found


def _parse(answer: bytes) -> list[Series]:
    """The answer to getSeries; the server says nothing at all where there is nothing."""
    try:
        rows: list[dict[str, Any]] = json.loads(answer) if answer.strip() else []
        series = [_series(row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise transfer.AttemptError("the answer is not a list of series in JSON") from None
    if not all(UID.fullmatch(one.uid) for one in series):
        raise transfer.AttemptError("the answer holds a series whose UID is none")
    return sorted({one.uid: one for one in series}.values(), key=lambda one: one.uid)


def _series(row: dict[str, Any]) -> Series:
    return Series(
        uid=str(row["SeriesInstanceUID"]),
        study=str(row.get("StudyInstanceUID") or ""),
        patient=str(row.get("PatientID") or ""),
        images=int(row.get("ImageCount") or 0),
        size=int(row.get("FileSize") or 0),
        licence=str(row.get("LicenseName") or "not stated"),
        # Version 4 of the interface says DataDescriptionURI, version 1 CollectionURI.
        about=str(row.get("DataDescriptionURI") or row.get("CollectionURI") or "not stated"),
    )


def download(line: transfer.Line, url: str, selected: Sequence[Series], root: Path) -> None:
    """Fetch what is missing under `root`.

    Raises:
        SourceError: the disk is too small, or a series failed for good; what is whole stays.
    """
    missing = [one for one in selected if not series_folder.is_whole(root / one.uid, one.images)]
    if not missing:
        return
    largest = max(one.size for one in missing)  # zips lie beside the files for a while
    transfer.check_space(root, sum(one.size for one in missing) + transfer.WORKERS * largest)
    progress = transfer.Progress("series", len(missing))
    line.count = progress.add
    draft = transfer.draft_folder(root)

    def bring(one: Series) -> None:
        line.retrying(partial(bring_one, line, url, one, root, draft))
        progress.add(pieces=1)

    try:
        failures = transfer.each(missing, bring, line.stop)
    except OSError as error:  # a full or broken disk
        raise SourceError(f"{root} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if failures:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in failures.most_common())
        raise SourceError(
            f"{progress.done:,} of {len(missing):,} missing series came whole and stay; "
            f"{failures.total():,} failed ({reasons}). Pull again for the rest; "
            "if the same ones go on failing, leave them out of pull.labels.table. "
            f"{OTHER_WAYS}"
        )


def bring_one(line: transfer.Line, url: str, one: Series, root: Path, draft: Path) -> None:
    """One attempt at one series.

    Raises:
        AttemptError: it did not come whole.
    """
    archive, folder = draft / f"{one.uid}.zip", draft / one.uid
    shutil.rmtree(folder, ignore_errors=True)
    query = {"SeriesInstanceUID": one.uid}
    size = line.save(f"{url}/getImageWithMD5Hash", query, archive, _limit(one))
    try:
        series_folder.unpack(archive, folder, one.images, _limit(one))
        series_folder.name_by_instance(folder)
        series_folder.settle(folder, root / one.uid)
    except transfer.AttemptError:
        line.count(-size)
        raise
    finally:
        archive.unlink(missing_ok=True)


def _limit(one: Series) -> int:
    """Bytes above which a download of a series is refused."""
    return 2 * one.size + SLACK if one.size else UNKNOWN_SIZE
