"""The champion, or what is known of it, is gone or not what it was."""

import shutil
from pathlib import Path
from shutil import rmtree

import pytest
from worlds.registry import NAME, aliases, kinds, new_model, write_model

from tasks.common import paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import ledger, model_versions
from tasks.registry.gate import gate
from tasks.registry.promotion import promote
from tasks.registry.store import connect
from tasks.serving import packing


@pytest.fixture
def client(champion):
    return connect()


def judge():
    return gate(load(Params))


def refused(said):
    with pytest.raises(RegistryError, match=said) as raised:
        judge()
    assert "publish.model_name" in str(raised.value)
    assert kinds() == [("first", 1)]


def test_a_deleted_champion_is_missed_until_another_is_promoted(client):
    judge()
    client.delete_model_version(NAME, "1")
    new_model(3)
    with pytest.raises(RegistryError, match=r"the champion, version 1 .* it was deleted"):
        judge()
    promote(NAME, 2)
    assert judge() == "not worse"
    assert ledger.read()[-1].facts["champion"] == 2


def test_a_champion_without_files_cannot_be_beaten(client, files_of):
    rmtree(files_of(1))
    refused("the files of medloop version 1; received: .* Restore it from a backup")


def test_the_first_of_a_deleted_registered_model_is_no_first(client, champion):
    client.delete_registered_model(NAME)
    with pytest.raises(RegistryError, match=r"tasks\.register"):
        judge()
    assert new_model(2) == 1
    refused("the champion, version 1 of 'medloop', to compare with; received: none")


@pytest.mark.parametrize("tag", ["as it was", "edited too"])
def test_a_champion_whose_network_was_swapped_is_no_yardstick(client, files_of, tag):
    file = files_of(1) / "data" / "serving" / "float.onnx"
    mine = file.read_bytes()
    write_model(b"another network")
    shutil.copyfile(paths.SERVING / file.name, file)
    if tag == "edited too":
        client.set_model_version_tag(NAME, "1", model_versions.PACKAGE, packing.of_workspace())
    write_model(mine.replace(b"1", b"2"))
    refused("registered as medloop version 1; received: another one")


def test_who_lost_the_alias_is_compared_with_all_the_same(client, capsys):
    client.delete_registered_model_alias(NAME, "champion")
    assert judge() == "not worse"
    assert ledger.read()[-1].facts["champion"] == 1
    assert aliases(client) == {"challenger": 2}
    assert "`python -m flows.promote 1` gives it back" in capsys.readouterr().out


def test_images_that_the_champion_learned_from_are_left_out(client, champion):
    table = read_manifest()
    moved = table.index[table["split"] == "train"][:4]
    tested = int((table["split"] == "test").sum())
    table.loc[moved, "split"] = "test"
    table.to_parquet(paths.MANIFEST)
    new_model(3)
    assert judge() == "not worse"
    facts = ledger.read()[-1].facts
    assert (facts["figures"]["images"], facts["figures"]["left_out"]) == (tested, 4)
    left_out = f"left out: 4 of {tested + 4} test images: a model learned from them"
    assert left_out in facts["reasons"]


def test_where_nothing_is_left_nothing_is_compared(client, champion):
    table = read_manifest()
    table["split"] = table["split"].map({"train": "test", "test": "train", "val": "val"})
    table.to_parquet(paths.MANIFEST)
    new_model(3)
    with pytest.raises(RegistryError, match="test images that no version"):
        judge()


def test_a_champion_whose_run_is_gone_is_said_to_be_of_unknown_data(client, champion):
    rmtree(Path(client.get_run(champion.run_id).info.artifact_uri.removeprefix("file://")))
    assert judge() == "not worse"
    said = ledger.read()[-1].facts["reasons"]
    assert "which images version 1 learned from is unknown: its run is gone" in said
