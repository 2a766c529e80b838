"""A tiny collection of an NBIA server: how it is asked for, and what has come of it."""

from __future__ import annotations

import csv
from pathlib import Path

from tasks.common.params.pull import Pull
from tasks.common.paths import StateEntry
from tasks.sources import Listing, tcia
from worlds.bad_server import BadServer
from worlds.sources import pull_of


def pull_of_tiny(**changes: object) -> Pull:
    """Settings of a pull of the collection."""
    settings = {
        "collection": {"name": "Tiny Set", "modality": "CT"},
        "labels": {"field": "BodyPartExamined"},
    }
    return pull_of("tcia", **settings | changes)


def pull_by_table(path: Path, key: str, values: list[str]) -> Pull:
    """The same for what a table of labels names, which is written first."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["key", "label"], *([value, "sick"] for value in values)])
    return pull_of_tiny(labels={"table": str(path), "key": key})


def bring() -> Listing:
    """Fetch the collection."""
    return tcia.listing(pull_of_tiny(), "multiclass")


def root() -> Path:
    """Where its series come to lie."""
    return StateEntry.DOWNLOADS.path / "tcia" / "Tiny_Set"


def everything(server: BadServer) -> list[bytes]:
    """The files that the server has."""
    return sorted(content for series in server.series for content in series.files)


def brought(listing: Listing) -> list[bytes]:
    """The files that came."""
    return sorted(item.read() for item in listing.items)


def assert_nothing_half_written(server: BadServer) -> None:
    """Whole series are all there is."""
    uids = {series.uid: len(series.files) for series in server.series}
    for path in root().iterdir():
        files = [file for file in path.iterdir() if not file.name.startswith(".")]
        assert len(files) == uids[path.name]
        assert {file.read_bytes() for file in files} <= set(everything(server))


def assert_names_other_ways(message: str) -> None:
    """An error says how else a collection is had."""
    for way in ("MEDLOOP_NBIA_URL", "NBIA Data Retriever", "pull.source dicom", "pull.source idc"):
        assert way in message
