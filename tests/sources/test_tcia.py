"""A collection of TCIA by its name: from Imaging Data Commons, or else from an NBIA server."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from worlds.bad_server import BadServer, make_series, serving
from worlds.idc import FakeClient, installed
from worlds.pull import cohort, configure, run
from worlds.sources import pull_of

from tasks.common.errors import SourceError
from tasks.common.params.pull import Pull
from tasks.common.paths import StateEntry
from tasks.sources import Listing, idc, nbia, tcia

SERIES = [make_series(1), make_series(2, 3), make_series(3)]


@pytest.fixture
def server(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    """Stands where TCIA's own does."""
    monkeypatch.delenv(nbia.URL_VARIABLE, raising=False)
    with serving(BadServer(list(SERIES))) as bad:
        monkeypatch.setattr(nbia, "URL", bad.url)
        yield bad


@pytest.fixture
def client(server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    return installed(SERIES, tmp_path, monkeypatch)


def pull_of_tiny(name: str = "Tiny Set", **collection: str) -> Pull:
    return pull_of(
        "tcia", collection={"name": name, **collection}, labels={"field": "BodyPartExamined"}
    )


def bring(**chosen: str) -> Listing:
    return tcia.listing(pull_of_tiny(**chosen), "multiclass")


def brought(listing: Listing) -> dict[str, bytes]:
    return {item.name: item.read() for item in listing.items}


def root() -> Path:
    return StateEntry.DOWNLOADS.path / "tcia" / "Tiny_Set"


def everything() -> list[bytes]:
    return sorted(content for one in SERIES for content in one.files)


def test_what_the_index_has_comes_from_imaging_data_commons(client, server):
    assert sorted(brought(bring()).values()) == everything()
    assert client.asked == {one.uid: 1 for one in SERIES}
    assert sorted(brought(bring()).values()) == everything()
    assert client.asked == {one.uid: 1 for one in SERIES}
    assert not server.asked


def test_licence_and_citations_of_both_archives_are_recorded(client):
    note = bring().notes[0]
    source = json.loads(root().with_name("Tiny_Set.SOURCE.json").read_text())
    assert source["name"] == "Tiny Set"
    for text in (note, json.dumps(source)):
        for said in ("by way of Imaging Data Commons", "CC BY 4.0", "10.7937/tiny", "Tiny, T."):
            assert said in text
        assert "10.1007/s10278-013-9622-7" in text
        assert "10.1148/rg.230180" in text


def test_what_the_index_lacks_comes_from_nbia(client, server):
    with pytest.raises(SourceError, match=r"no public series.*'Collection': 'Other Set'"):
        bring(name="Other Set")
    assert server.asked == {"getSeries": 1}
    assert not client.asked


def test_a_server_that_is_named_is_taken(client, server, monkeypatch):
    monkeypatch.setenv(nbia.URL_VARIABLE, server.url)
    assert sorted(brought(bring()).values()) == everything()
    assert server.asked == {"getSeries": 1} | {one.uid: 1 for one in SERIES}
    assert not client.asked


def test_neither_way_is_an_error_that_names_others(client, server):
    server.mischief = {"getSeries": "410"}
    with pytest.raises(SourceError, match=r"HTTP 410.*gone from there.*Other ways:.*idc"):
        bring(name="Other Set")


def by_nbia(server: BadServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    with monkeypatch.context() as patched:
        patched.setenv(nbia.URL_VARIABLE, server.url)
        return brought(bring())


def test_files_have_the_same_names_either_way(client, server, monkeypatch):
    before = by_nbia(server, monkeypatch)
    assert sorted(before)[0] == "1.2.840.99.1/1.2.840.99.1.1.dcm"
    shutil.rmtree(root())
    assert brought(bring()) == before
    assert client.asked == {one.uid: 1 for one in SERIES}


def test_a_series_that_came_one_way_is_not_fetched_the_other(server, tmp_path, monkeypatch):
    """Though there it may have other bytes."""
    other = {SERIES[0].uid: {"series_size_MB": 0.5}}
    client = installed(SERIES, tmp_path, monkeypatch, **other)
    before = by_nbia(server, monkeypatch)
    assert brought(bring()) == before
    assert not client.asked
    shutil.rmtree(root() / SERIES[1].uid)
    assert brought(bring()) == before
    assert client.asked == {SERIES[1].uid: 1}
    assert by_nbia(server, monkeypatch) == before
    assert server.asked == {"getSeries": 2} | {one.uid: 1 for one in SERIES}


def test_what_others_put_into_the_collection_is_no_part_of_it(server, tmp_path, monkeypatch):
    others = {
        SERIES[0].uid: {"analysis_result_id": "masks", "source_DOI": "10.7937/masks"},
        SERIES[1].uid: {"source_DOI": "10.5281/zenodo.1"},
    }
    client = installed(SERIES, tmp_path, monkeypatch, **others)
    assert sorted(brought(bring()).values()) == sorted(SERIES[2].files)
    assert client.asked == {SERIES[2].uid: 1}


def test_a_choice_of_nothing_says_what_there_is(client, server):
    with pytest.raises(SourceError, match=r"Modality 'PT' in pull.collection; there are: CT"):
        bring(modality="PT")
    assert not server.asked


def test_without_the_extra_the_error_says_how_to_install_it_or_do_without(server, monkeypatch):
    monkeypatch.setitem(sys.modules, "idc_index_data", None)
    with pytest.raises(SourceError, match=r"uv pip install 'idc-index.*MEDLOOP_NBIA_URL"):
        bring()
    assert not server.asked


@pytest.mark.usefixtures("source")
def test_a_workspace_pulled_from_nbia_goes_on_by_the_index(client, server, monkeypatch):
    """Nothing is new, changed or gone, also where the downloads are."""
    chosen = {"pull.collection.name": "Tiny Set", "pull.labels.field": "BodyPartExamined"}
    configure(pull__source="tcia", task__classes=["CHEST", "HEAD"], **chosen)
    with monkeypatch.context() as patched:
        patched.setenv(nbia.URL_VARIABLE, server.url)
        assert run().new == 7
    before = cohort()
    for wanted in (0, 1):  # of each series from Imaging Data Commons
        again = run()
        assert (again.new, again.known, again.changed, again.vanished) == (0, 7, 0, 0)
        assert set(client.asked.values()) == ({wanted} if wanted else set())
        shutil.rmtree(root())
    pd.testing.assert_frame_equal(cohort(), before)


def test_every_name_of_the_real_index_is_found_as_tcia_spells_it():
    package = pytest.importorskip("idc_index_data")
    file = package.INDEX_METADATA["collections_index"]["parquet_filepath"]
    known = pd.read_parquet(file, columns=["collection_name", "collection_id"])
    assert [idc.spelled(name) for name in known["collection_name"]] == list(known["collection_id"])
    assert idc.spelled("RIDER Lung CT") == "rider_lung_ct"


def test_the_real_index_has_what_tcia_published_and_no_more():
    pytest.importorskip("idc_index_data")
    assert set(idc.of_tcia("TCGA-LUAD")["Modality"]) == {"CT", "NM", "PT"}  # no slides, no masks
    assert idc.of_tcia("HTAN-HMS").empty  # another archive's
