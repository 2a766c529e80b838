"""A collection from an NBIA server that misbehaves in every way that servers do."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds.bad_server import BadServer, make_series, serving
from worlds.project import ROOT
from worlds.sources import pull_of

from tasks.common import paths
from tasks.common.errors import SourceError
from tasks.common.params.pull import Pull
from tasks.common.paths import StateEntry
from tasks.sources import Listing, nbia, series_folder, tcia, transfer

FIXED = [
    *("cut", "chunks cut", "truncated", "no answer", "trickle", "500"),
    *("wrong md5", "no md5hashes.csv", "a file missing", "garbage", "path out of the folder"),
]


@pytest.fixture(autouse=True)
def impatient(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(transfer, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(transfer, "TIMEOUT", (2.0, 2.0))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    with serving(BadServer([make_series(1), make_series(2, 3), make_series(3)])) as bad:
        monkeypatch.setenv(nbia.URL_VARIABLE, bad.url)
        yield bad


def pull_of_tiny(**changes: object) -> Pull:
    settings = {
        "collection": {"name": "Tiny Set", "modality": "CT"},
        "labels": {"field": "BodyPartExamined"},
    }
    return pull_of("tcia", **settings | changes)


def pull_by_table(path: Path, key: str, values: list[str]) -> Pull:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["key", "label"], *([value, "sick"] for value in values)])
    return pull_of_tiny(labels={"table": str(path), "key": key})


def bring() -> Listing:
    return tcia.listing(pull_of_tiny(), "multiclass")


def root() -> Path:
    return StateEntry.DOWNLOADS.path / "tcia" / "Tiny_Set"


def everything(server: BadServer) -> list[bytes]:
    return sorted(content for series in server.series for content in series.files)


def brought(listing: Listing) -> list[bytes]:
    return sorted(item.read() for item in listing.items)


def assert_nothing_half_written(server: BadServer) -> None:
    """Whole series are all there is."""
    uids = {series.uid: len(series.files) for series in server.series}
    for path in root().iterdir():
        files = [file for file in path.iterdir() if not file.name.startswith(".")]
        assert len(files) == uids[path.name]
        assert {file.read_bytes() for file in files} <= set(everything(server))


def test_a_collection_comes_whole_and_only_once(server):
    listing = bring()
    assert brought(listing) == everything(server)
    assert {item.label for item in listing.items} == {"CHEST"}
    assert len(listing.notes) == 1
    assert server.queries == [{"Collection": "Tiny Set", "Modality": "CT", "format": "json"}]
    again = bring()
    assert [item.name for item in again.items] == [item.name for item in listing.items]
    assert {server.asked[series.uid] for series in server.series} == {1}
    assert_nothing_half_written(server)


def test_licence_and_citation_are_recorded(server):
    notes = "\n".join(bring().notes)
    source = json.loads(root().with_name(f"{root().name}.SOURCE.json").read_text())
    for text in (notes, json.dumps(source)):
        assert "Creative Commons Attribution 4.0" in text
        assert "https://doi.org/10.7937/tiny" in text
        assert "10.1007/s10278-013-9622-7" in text
    assert source["series"] == 3
    assert source["bytes"] == sum(map(len, everything(server)))


def test_files_are_known_by_their_instance(server):
    """The server numbers them by chance; the same image must keep its name."""
    first = {item.read(): item.name for item in bring().items}
    shutil.rmtree(root())
    for series in server.series:
        series.files.reverse()
    assert {item.read(): item.name for item in bring().items} == first


@pytest.mark.parametrize("mischief", FIXED)
def test_what_a_further_attempt_fixes(server, mischief):
    bad = server.series[1].uid
    server.mischief = {bad: [mischief, mischief]}
    assert brought(bring()) == everything(server)
    assert server.asked[bad] == 3
    assert_nothing_half_written(server)
    assert not list(StateEntry.DOWNLOADS.path.rglob("*escaped*"))


@pytest.mark.parametrize("mischief", FIXED)
def test_what_fails_for_good_is_an_error_and_the_rest_stays(server, mischief, monkeypatch):
    monkeypatch.setattr(transfer, "ATTEMPTS", 2)
    bad = server.series[1].uid
    server.mischief = {bad: mischief}
    with pytest.raises(SourceError, match=r"2 of 3 missing series came whole.*1 failed") as caught:
        bring()
    assert bad not in str(caught.value)
    assert server.asked[bad] == 2
    assert sorted(path.name for path in root().iterdir()) == [
        series.uid for series in server.series if series.uid != bad
    ]
    assert_nothing_half_written(server)
    server.mischief = {}
    assert brought(bring()) == everything(server)
    assert server.asked == {"getSeries": 2, bad: 3, "1.2.840.99.1": 1, "1.2.840.99.3": 1}


def test_a_bomb_is_not_unpacked(server, monkeypatch):
    monkeypatch.setattr(nbia, "SLACK", 1 << 20)
    server.mischief = {server.series[0].uid: "bomb"}
    with pytest.raises(SourceError, match="far more than was announced"):
        bring()
    assert sum(file.stat().st_size for file in root().rglob("*.dcm")) < 1 << 20


def test_the_server_is_left_in_peace_as_long_as_it_asks(server):
    server.mischief = {server.series[0].uid: ["429"]}
    start = time.monotonic()
    assert brought(bring()) == everything(server)
    assert time.monotonic() - start >= 1.0


@pytest.mark.parametrize(
    ("mischief", "match"),
    [("503 for an hour", "HTTP 503 and asks for 3,600 seconds"), ("400", "refuses with HTTP 400")],
)
def test_no_further_attempt_where_it_is_vain(server, mischief, match):
    server.mischief = {server.series[0].uid: mischief}
    with pytest.raises(SourceError, match=match):
        bring()
    assert server.asked[server.series[0].uid] == 1


@pytest.mark.parametrize("mischief", ["garbage", "cut", "500"])
def test_the_list_of_series_is_asked_for_again(server, mischief):
    server.mischief = {"getSeries": [mischief]}
    assert brought(bring()) == everything(server)
    assert server.asked["getSeries"] == 2


def test_fields_of_version_1_and_fields_left_out():
    """Version 1 calls the page of the data otherwise; NBIA drops a field that is null."""
    uid = {"SeriesInstanceUID": "1.2.3"}
    full = {**uid, "ImageCount": 7, "FileSize": "812", "CollectionURI": "https://doi.org/10.1/x"}
    one = nbia._parse(json.dumps([full]).encode())[0]
    assert (one.images, one.size, one.about) == (7, 812, "https://doi.org/10.1/x")
    bare = nbia._parse(json.dumps([uid]).encode())[0]
    assert (bare.images, bare.size, bare.licence, bare.about) == (0, 0, *["not stated"] * 2)


def test_a_server_without_a_list_is_an_error(server):
    server.mischief = {"getSeries": "garbage"}
    with pytest.raises(SourceError, match=r"not a list of series.*MEDLOOP_NBIA_URL"):
        bring()


@pytest.mark.parametrize("uid", ["../../escaped", ".", "1.2/3"])
def test_a_uid_that_is_a_path_is_refused(server, uid):
    server.series[0].attributes["SeriesInstanceUID"] = uid
    with pytest.raises(SourceError, match="UID is none"):
        bring()


def test_an_unreachable_server_is_an_error(monkeypatch):
    monkeypatch.setenv(nbia.URL_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="connection failed"):
        bring()


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("404", "gone from there"),
        ("410", "gone from there"),
        ("403", "as restricted collections do"),
    ],
)
def test_an_interface_that_is_gone_or_closed_names_the_other_ways(server, status, why):
    server.mischief = {"getSeries": status}
    with pytest.raises(SourceError, match=f"HTTP {status}.*{why}") as caught:
        bring()
    assert_names_other_ways(str(caught.value))
    assert server.asked == {"getSeries": 1}


def assert_names_other_ways(message: str) -> None:
    for way in ("MEDLOOP_NBIA_URL", "NBIA Data Retriever", "pull.source dicom", "pull.source idc"):
        assert way in message


def test_a_server_whose_name_is_gone_names_the_other_ways(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv(nbia.URL_VARIABLE, "https://nbia.example/v4")
    with pytest.raises(SourceError, match="connection failed") as caught:
        bring()
    assert_names_other_ways(str(caught.value))


def test_an_interface_that_goes_while_it_is_read_names_the_other_ways(server):
    server.mischief = {series.uid: "410" for series in server.series[1:]}
    with pytest.raises(
        SourceError, match=r"1 of 3.*2 x the server refuses with HTTP 410"
    ) as caught:
        bring()
    assert_names_other_ways(str(caught.value))


def test_many_failures_end_the_rest(server, monkeypatch):
    monkeypatch.setattr(transfer, "MOST_FAILED", 2)
    monkeypatch.setattr(transfer, "WORKERS", 1)
    server.series = [make_series(number) for number in range(10, 20)]
    server.mischief = {series.uid: "400" for series in server.series}
    with pytest.raises(SourceError, match="0 of 10"):
        bring()
    assert sum(server.asked[series.uid] for series in server.series) < 5


def test_nothing_that_fits_is_an_error(server):
    pull = pull_of_tiny(collection={"name": "Tiny Set", "modality": "MR"})
    with pytest.raises(SourceError, match=r"no public series.*'Modality': 'MR'") as caught:
        tcia.listing(pull, "multiclass")
    assert "restricted collections are not given here" in str(caught.value)
    assert_names_other_ways(str(caught.value))


def test_a_full_disk_is_seen_before(server, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage(10, 9, 1000))
    with pytest.raises(SourceError, match="free disk space"):
        bring()
    assert set(server.asked) == {"getSeries"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PatientID", "PLANTED-2"),
        ("StudyInstanceUID", "1.2.840.98.2"),
        ("SeriesInstanceUID", "1.2.840.99.2"),
    ],
)
def test_only_what_the_table_names_is_fetched(server, tmp_path, key, value):
    listing = tcia.listing(pull_by_table(tmp_path / "labels.csv", key, [value]), "multiclass")
    assert brought(listing) == sorted(server.series[1].files)
    assert {item.label for item in listing.items} == {"sick"}
    assert set(server.asked) == {"getSeries", server.series[1].uid}


def test_labels_are_looked_at_before_anything_is_fetched(server):
    with pytest.raises(SourceError, match="may identify"):
        tcia.listing(pull_of_tiny(labels={"field": "PatientID"}), "multiclass")
    assert set(server.asked) == {"getSeries"}


def test_a_table_of_strangers_is_an_error_that_names_none(server, tmp_path):
    pull = pull_by_table(tmp_path / "labels.csv", "PatientID", ["Smith"])
    with pytest.raises(SourceError, match="1 values of PatientID, and none") as caught:
        tcia.listing(pull, "multiclass")
    assert "Smith" not in str(caught.value)
    assert "PLANTED" not in str(caught.value)


def test_a_narrower_choice_lists_no_more_than_it_names(server):
    server.series[2] = make_series(3, BodyPartExamined="ABDOMEN")
    assert {item.label for item in bring().items} == {"CHEST", "ABDOMEN"}
    pull = pull_of_tiny(collection={"name": "Tiny Set", "body_part": "CHEST"})
    assert {item.label for item in tcia.listing(pull, "multiclass").items} == {"CHEST"}


@pytest.mark.parametrize("harm", ["file gone", "file cut", "receipt gone"])
def test_a_damaged_series_is_fetched_again(server, harm):
    bring()
    folder = root() / server.series[0].uid
    file = sorted(folder.glob("*.dcm"))[0]
    if harm == "file gone":
        file.unlink()
    elif harm == "file cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        (folder / ".whole.json").unlink()
    assert brought(bring()) == everything(server)
    assert server.asked[server.series[0].uid] == 2
    assert server.asked[server.series[1].uid] == 1


def test_a_series_that_grew_at_the_source_is_fetched_again(server):
    bring()
    server.series[0] = make_series(1, images=4)
    assert brought(bring()) == everything(server)


def test_drafts_of_killed_pulls_are_swept(server):
    dead = root() / ".draft.999999999"
    dead.mkdir(parents=True)
    (dead / "half.zip").write_bytes(b"half")
    bring()
    assert not list(root().glob(".draft*"))


def test_a_disk_that_fails_is_an_error(server, monkeypatch):
    def fail(*_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(series_folder, "settle", fail)
    with pytest.raises(SourceError, match="cannot be written: No space left on device"):
        bring()
    assert not list(root().iterdir())


PULL = """
from pathlib import Path
from worlds.sources import pull_of
from worlds.project import ROOT
from tasks.sources import tcia
collection, labels = {"name": "Tiny Set", "modality": "CT"}, {"field": "BodyPartExamined"}
tcia.listing(pull_of("tcia", collection=collection, labels=labels), "multiclass")
"""


@pytest.mark.slow
def test_a_killed_pull_is_taken_up_where_it_was(server):
    bad = server.series[1].uid
    server.mischief = {bad: ["trickle"]}
    ours = {"MEDLOOP_STATE": str(paths.state()), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    killed = subprocess.Popen([sys.executable, "-c", PULL], env=os.environ | ours)
    deadline = time.monotonic() + 60
    while not (len(list(root().glob("1.*"))) == 2 and list(root().glob(f".draft.*/{bad}.zip"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert brought(bring()) == everything(server)
    assert server.asked == {"getSeries": 2, bad: 2, "1.2.840.99.1": 1, "1.2.840.99.3": 1}
    assert not list(root().glob(".draft*"))


def test_an_address_must_be_one(monkeypatch):
    monkeypatch.setenv(nbia.URL_VARIABLE, "services.example")
    with pytest.raises(SourceError, match="MEDLOOP_NBIA_URL must be"):
        bring()
