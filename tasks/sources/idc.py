"""A public collection from Imaging Data Commons, with its own package `idc-index` (an extra).

Its index of all series lies in the package, so selecting, sizing and licences need no network. Its
client downloads with s5cmd and says nothing when files are missing, so every series is held to the
index, in files and bytes, before it appears under `downloads/idc/<collection>`.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common.errors import SourceError
from tasks.common.paths import StateEntry
from tasks.sources import Listing, series_folder, transfer
from tasks.sources.collection import Series, folder_name, list_series, narrow

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull

CITATION = (
    "Fedorov et al., National Cancer Institute Imaging Data Commons, RadioGraphics 43(12) (2023), "
    "doi:10.1148/rg.230180"
)
COLUMNS = {
    "SeriesInstanceUID": "uid",
    "StudyInstanceUID": "study",
    "PatientID": "patient",
    "instanceCount": "images",
    "series_size_MB": "size",  # of 10^6 bytes, not rounded
    "license_short_name": "licence",
    "source_DOI": "about",
}
TCIA_DOI = "10.7937/"  # what DOIs that TCIA gives begin with
BATCH_BYTES = 2 * 10**9  # downloaded before it is checked; what a break costs at most


def listing(pull: Pull, kind: str) -> Listing:
    """Fetch what is missing of the series that `pull.collection` and `pull.labels` select, and list
    their images.

    Raises:
        SourceError: the extra is missing, nothing fits, the disk is too small, or a series did not
            come whole.
    """
    selected = narrow(find(pull), pull, kind)
    root = StateEntry.DOWNLOADS.path / "idc" / folder_name(str(pull.collection.name))
    root.mkdir(parents=True, exist_ok=True)
    download([one for one in selected if not _is_as_indexed(root / one.uid, one)], root)
    return list_series(root, selected, pull, kind, "Imaging Data Commons", citations(selected))


def find(pull: Pull) -> list[Series]:
    """The series of a collection, modality and body part, in the order of their UIDs.

    Raises:
        SourceError: the index has none, or is not installed.
    """
    table = _read_index(str(pull.collection.name))
    if table.empty:
        raise SourceError(
            "pull.collection.name: required one of the collections of Imaging Data Commons, in "
            f"small letters (close: {_close_to(str(pull.collection.name))}); received "
            f"{pull.collection.name!r}"
        )
    return select(table, pull)


def of_tcia(name: str) -> pd.DataFrame:
    """The rows of the index that TCIA has published in the collection that it calls `name`: none if
    it is not there. Results of others and slides of other archives, which Imaging Data Commons puts
    into the same collection, are left out.

    Raises:
        SourceError: the index is not installed.
    """
    table = _read_index(spelled(name))
    by_tcia = table["source_DOI"].str.startswith(TCIA_DOI, na=False)
    return table[by_tcia & table["analysis_result_id"].isna()]


def spelled(name: str) -> str:
    """A collection's name at TCIA as Imaging Data Commons spells it: `RIDER Lung CT` ->
    `rider_lung_ct`.
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def select(table: pd.DataFrame, pull: Pull) -> list[Series]:
    """The series of a collection's rows that `pull.collection` takes, in the order of their UIDs.

    Raises:
        SourceError: there is none.
    """
    wanted = pull.collection
    for column, value in (("Modality", wanted.modality), ("BodyPartExamined", wanted.body_part)):
        there = table[column].dropna().unique()
        table = table[table[column] == value] if value else table
        if table.empty:
            raise SourceError(
                f"{wanted.name} has no series left with {column} {value!r} in pull.collection; "
                f"there are: {', '.join(sorted(there)) or 'none'}"
            )
    rows = table[list(COLUMNS)].rename(columns=COLUMNS).sort_values("uid")
    rows["size"] = (rows["size"] * 1e6).round().astype(int)
    rows[["licence", "about"]] = rows[["licence", "about"]].fillna("not stated")
    return [Series(**dict(zip(rows.columns, row, strict=True))) for row in rows.to_numpy().tolist()]


def _read_index(collection: str) -> pd.DataFrame:
    """The rows of one collection in the package's index."""
    file = _package().IDC_INDEX_PARQUET_FILEPATH
    columns = [*COLUMNS, "Modality", "BodyPartExamined", "analysis_result_id"]
    return pd.read_parquet(file, columns=columns, filters=[("collection_id", "==", collection)])


def _close_to(name: str) -> str:
    """The names of collections that are like this one."""
    table = pd.read_parquet(_package().IDC_INDEX_PARQUET_FILEPATH, columns=["collection_id"])
    known = table["collection_id"].unique().tolist()
    return ", ".join(get_close_matches(spelled(name), known, 3)) or "none"


def _package() -> Any:
    """The package that holds the index.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import idc_index_data
    except ImportError:
        raise SourceError(
            "pull.source idc and tcia need the extra idc, which is not installed: "
            "`uv pip install 'idc-index>=0.13'`, then pull again (tcia also goes without where "
            "MEDLOOP_NBIA_URL names an NBIA server)"
        ) from None
    return idc_index_data


def citations(selected: Sequence[Series]) -> list[str]:
    """How the package says to cite what series are of, and Imaging Data Commons."""
    file = _package().INDEX_METADATA["collections_index"]["parquet_filepath"]
    sources = pd.read_parquet(file, columns=["sources"])["sources"].explode().dropna()
    known = {str(source["source_doi"]).lower(): source.get("citation") for source in sources}
    found = (known.get(doi.lower()) for doi in sorted({one.about for one in selected}))
    return [*(" ".join(str(citation).split()) for citation in found if citation), CITATION]


def download(
    missing: Sequence[Series], root: Path, finish: Callable[[Path], None] = lambda folder: None
) -> None:
    """Fetch series into folders under `root`; `finish` does to each what is left before it stands.

    Raises:
        SourceError: the disk is too small, or series did not come whole; what is whole stays.
    """
    if not missing:
        return
    transfer.check_space(root, sum(one.size for one in missing))
    progress, line = transfer.Progress("series", len(missing)), transfer.Line()
    with _quiet_logging():
        idc, draft = client(), transfer.draft_folder(root)
        try:
            for batch in _batches(missing):
                line.retrying(partial(_bring, idc, batch, root, draft, progress, finish))
        except SourceError as error:
            raise SourceError(
                f"{progress.done:,} of {len(missing):,} missing series came whole and stay; {error}"
                ". Pull again for the rest"
            ) from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def client() -> Any:
    """The client of idc-index; it takes seconds to load and reaches no network."""
    from idc_index import IDCClient

    return IDCClient()


@contextmanager
def _quiet_logging() -> Iterator[None]:
    """Undo what the import of idc-index does to the logging of the whole process."""
    root, package = logging.getLogger(), logging.getLogger("idc_index")
    before = root.level, root.handlers[:]
    package.setLevel(logging.CRITICAL)  # it would log addresses and folders
    try:
        yield
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]


def _batches(missing: Sequence[Series]) -> Iterator[list[Series]]:
    batch: list[Series] = []
    for one in missing:
        if batch and sum(other.size for other in batch) + one.size > BATCH_BYTES:
            yield batch
            batch = []
        batch.append(one)
    yield batch


def _bring(
    idc: Any,
    left: list[Series],
    root: Path,
    draft: Path,
    progress: transfer.Progress,
    finish: Callable[[Path], None],
) -> None:
    """One attempt at the series `left`, from which those that came whole are taken.

    Raises:
        AttemptError: some did not.
    """
    for one in left:  # what an earlier attempt left may be cut off
        shutil.rmtree(draft / one.uid, ignore_errors=True)
    idc.download_from_selection(
        downloadDir=str(draft),
        seriesInstanceUID=[one.uid for one in left],
        dirTemplate="%SeriesInstanceUID",
        quiet=True,
        show_progress_bar=False,
    )
    for one in list(left):
        if _is_as_indexed(draft / one.uid, one):
            finish(draft / one.uid)
            series_folder.settle(draft / one.uid, root / one.uid)
            left.remove(one)
            progress.add(one.size, pieces=1)
    if left:
        raise transfer.AttemptError(
            f"{len(left):,} of a batch did not come with the files and bytes of the index"
        )


def _is_as_indexed(folder: Path, one: Series) -> bool:
    """Whether a folder holds as many files and bytes as the index says."""
    return series_folder.measure(folder) == (one.images, one.size)
