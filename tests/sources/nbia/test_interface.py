"""What an NBIA server says of its series, and what is said where it is gone."""

from __future__ import annotations

import json
import socket

import pytest
from worlds.nbia import (
    assert_names_other_ways,
    bring,
    brought,
    everything,
    root,
)

from tasks.common.errors import SourceError
from tasks.sources import nbia


def test_licence_and_citation_are_recorded(server):
    notes = "\n".join(bring().notes)
    source = json.loads(root().with_name(f"{root().name}.SOURCE.json").read_text())
    for text in (notes, json.dumps(source)):
        assert "Creative Commons Attribution 4.0" in text
        assert "https://doi.org/10.7937/tiny" in text
        assert "10.1007/s10278-013-9622-7" in text
    assert source["series"] == 3
    assert source["bytes"] == sum(map(len, everything(server)))


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


def test_an_address_must_be_one(monkeypatch):
    monkeypatch.setenv(nbia.URL_VARIABLE, "services.example")
    with pytest.raises(SourceError, match="MEDLOOP_NBIA_URL must be"):
        bring()
