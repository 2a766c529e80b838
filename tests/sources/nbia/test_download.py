"""Series come whole or not at all, whatever the server, the network and the disk do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from worlds.bad_server import make_series
from worlds.nbia import (
    assert_nothing_half_written,
    bring,
    brought,
    everything,
    root,
)
from worlds.project import ROOT

from tasks.common import paths
from tasks.common.errors import SourceError
from tasks.common.paths import StateEntry
from tasks.sources import nbia, series_folder, transfer

FIXED = [
    *("cut", "chunks cut", "truncated", "no answer", "trickle", "500"),
    *("wrong md5", "no md5hashes.csv", "a file missing", "garbage", "path out of the folder"),
]


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


def test_many_failures_end_the_rest(server, monkeypatch):
    monkeypatch.setattr(transfer, "MOST_FAILED", 2)
    monkeypatch.setattr(transfer, "WORKERS", 1)
    server.series = [make_series(number) for number in range(10, 20)]
    server.mischief = {series.uid: "400" for series in server.series}
    with pytest.raises(SourceError, match="0 of 10"):
        bring()
    assert sum(server.asked[series.uid] for series in server.series) < 5


def test_a_full_disk_is_seen_before(server, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: usage(10, 9, 1000))
    with pytest.raises(SourceError, match="free disk space"):
        bring()
    assert set(server.asked) == {"getSeries"}


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
