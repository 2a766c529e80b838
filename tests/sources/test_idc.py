"""A collection of Imaging Data Commons: the real index offline, and a download that fails."""

from __future__ import annotations

import csv
import json
import logging
import shlex
import socket
import sys
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from worlds.bad_server import make_series
from worlds.idc import FakeClient, installed
from worlds.sources import pull_of

from tasks.common.errors import SourceError
from tasks.common.params.pull import Pull
from tasks.common.paths import StateEntry
from tasks.sources import Listing, idc, open_source, transfer

S5CMD = """#!{python}
import pathlib, shlex, shutil, sys
for line in open(sys.argv[-1]):
    verb, source, target = shlex.split(line)
    assert verb == "cp"
    shutil.copytree({store!r} + "/" + source.split("/")[-2], target, dirs_exist_ok=True)
"""


@pytest.fixture
def client(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    series = [make_series(1), make_series(2, 3), make_series(3)]
    series.append(make_series(4, Modality="MR", BodyPartExamined="BRAIN"))
    return installed(series, tmp_path, monkeypatch)


def pull_of_tiny(**changes: Any) -> Pull:
    settings = {
        "collection": {"name": "tiny_set", "modality": "CT"},
        "labels": {"field": "BodyPartExamined"},
    }
    return pull_of("idc", **settings | changes)


def bring() -> Listing:
    return idc.listing(pull_of_tiny(), "multiclass")


def brought(listing: Listing) -> list[bytes]:
    return sorted(item.read() for item in listing.items)


def of_ct(client: FakeClient) -> list[bytes]:
    series = [one for one in client.series.values() if one.attributes["Modality"] == "CT"]
    return sorted(content for one in series for content in one.files)


def root() -> Path:
    return StateEntry.DOWNLOADS.path / "idc" / "tiny_set"


def test_a_collection_comes_whole_and_only_once(client, monkeypatch):
    assert brought(bring()) == of_ct(client)
    monkeypatch.delattr(idc, "client")
    assert brought(bring()) == of_ct(client)
    assert client.asked == {"1.2.840.99.1": 1, "1.2.840.99.2": 1, "1.2.840.99.3": 1}


def test_licence_and_citations_are_recorded(client):
    note = bring().notes[0]
    source = json.loads(root().with_name(f"{root().name}.SOURCE.json").read_text())
    for text in (note, json.dumps(source)):
        assert "CC BY 4.0" in text
        assert "10.7937/tiny" in text
        assert "Tiny, T. (2020). Data of the Tiny" in text
        assert "10.1148/rg.230180" in text
    assert source["bytes"] == sum(map(len, of_ct(client)))


HARM = ["nothing", "a file missing", "a file cut", "a file too many"]


@pytest.mark.parametrize("mischief", HARM)
def test_only_what_is_missing_is_fetched_again(client, mischief):
    client.mischief = {"1.2.840.99.2": [mischief, mischief]}
    assert brought(bring()) == of_ct(client)
    assert client.asked == {"1.2.840.99.1": 1, "1.2.840.99.2": 3, "1.2.840.99.3": 1}
    assert not list(root().glob(".draft*"))


@pytest.mark.parametrize("mischief", HARM)
def test_what_fails_for_good_is_an_error_and_the_rest_stays(client, mischief):
    client.mischief = {"1.2.840.99.2": [mischief] * transfer.ATTEMPTS}
    with pytest.raises(SourceError, match="2 of 3 missing series came whole and stay; 1 of"):
        bring()
    assert sorted(path.name for path in root().iterdir()) == ["1.2.840.99.1", "1.2.840.99.3"]
    assert brought(bring()) == of_ct(client)
    assert client.asked["1.2.840.99.1"] == 1


def test_small_batches_bring_the_same(client, monkeypatch):
    monkeypatch.setattr(idc, "BATCH_BYTES", 1)
    assert brought(bring()) == of_ct(client)


def test_a_file_cut_on_disk_is_fetched_again(client):
    bring()
    file = next(root().glob("1.2.840.99.1/*.dcm"))
    file.write_bytes(file.read_bytes()[:100])
    assert brought(bring()) == of_ct(client)
    assert client.asked["1.2.840.99.1"] == 2


def test_a_full_disk_is_seen_before(client, monkeypatch):
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=1000))
    with pytest.raises(SourceError, match="free disk space"):
        bring()
    assert not client.asked


def test_only_what_the_table_names_is_fetched(client, tmp_path):
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["key", "label"], ["PLANTED-2", "sick"]])
    labels = {"table": str(tmp_path / "labels.csv"), "key": "PatientID"}
    listing = idc.listing(pull_of_tiny(labels=labels), "multiclass")
    assert brought(listing) == sorted(client.series["1.2.840.99.2"].files)
    assert client.asked == {"1.2.840.99.2": 1}


@pytest.mark.parametrize(
    ("collection", "match"),
    [
        ({"name": "Tiny-Set"}, r"close: tiny_set\); received 'Tiny-Set'"),
        ({"modality": "PT"}, "Modality 'PT' in pull.collection; there are: CT, MR"),
        ({"body_part": "BRAIN"}, "BodyPartExamined 'BRAIN' in pull.collection; there are: CHEST"),
    ],
)
def test_a_choice_of_nothing_says_what_there_is(client, collection, match):
    chosen = {"name": "tiny_set", "modality": "CT"} | collection
    with pytest.raises(SourceError, match=match):
        idc.listing(pull_of_tiny(collection=chosen), "multiclass")


def test_without_the_extra_the_error_says_how_to_install_it(defaults, monkeypatch):
    monkeypatch.setitem(sys.modules, "idc_index_data", None)
    with pytest.raises(SourceError, match="uv pip install 'idc-index"):
        open_source(defaults.model_copy(update={"pull": pull_of_tiny()}))


def test_logging_is_left_as_it_was():
    before = logging.getLogger().level, logging.getLogger().handlers[:]
    with idc._quiet_logging():
        logging.getLogger().setLevel(1)
        logging.getLogger().addHandler(logging.NullHandler())
    assert (logging.getLogger().level, logging.getLogger().handlers) == before


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was reached for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_real_index_selects_sizes_and_licenses_offline(no_network):
    pytest.importorskip("idc_index_data")
    found = idc.find(pull_of_tiny(collection={"name": "tcga_luad", "modality": "CT"}))
    assert len(found) > 500
    assert {one.licence for one in found} <= {"CC BY 3.0", "CC BY 4.0"}
    assert 10e9 < sum(one.size for one in found) < 40e9
    assert all(one.images and one.study and one.patient for one in found)
    citations = idc.citations(found)
    assert any("TCGA-LUAD" in citation for citation in citations)


@pytest.mark.slow
def test_the_real_client_brings_series_into_folders(client, tmp_path, no_network, monkeypatch):
    """All but s5cmd is real: the client's arguments, its manifest and where it puts files."""
    idc_index = pytest.importorskip("idc_index")
    real = idc_index.IDCClient()
    wanted = real.index[real.index.instanceCount == 3].head(2)
    store = tmp_path / "bucket"
    table = pd.read_parquet(tmp_path / "index.parquet").head(2)
    for (_, row), one in zip(wanted.iterrows(), client.series.values(), strict=False):
        (store / row.crdc_series_uuid).mkdir(parents=True)
        for number, content in enumerate(one.files):
            (store / row.crdc_series_uuid / f"{number}.dcm").write_bytes(content)
    table["SeriesInstanceUID"] = wanted["SeriesInstanceUID"].to_list()
    table.to_parquet(tmp_path / "index.parquet")
    script = tmp_path / "s5cmd"
    script.write_text(S5CMD.format(python=shlex.quote(sys.executable), store=str(store)))
    script.chmod(0o755)
    real.s5cmdPath = str(script)
    monkeypatch.setattr(idc, "client", lambda: real)
    pull = pull_of_tiny()
    idc.download(idc.find(pull), root())
    first, second, *_ = client.series.values()
    for uid, one in zip(wanted["SeriesInstanceUID"], (first, second), strict=True):
        files = {file.read_bytes() for file in (root() / uid).glob("*.dcm")}
        assert files == set(one.files)
