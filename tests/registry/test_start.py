"""The version that training starts from, as it is fetched."""

from pathlib import Path

import pytest
from worlds.registry import NAME, write_lock, write_model

from tasks import start as command
from tasks.common import digests, documents, editing, manifest, paths
from tasks.common.errors import PrivacyError, RegistryError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.start import read
from tasks.intake.file_ids import file_of
from tasks.publish import publish
from tasks.registry import cases, exposure, model_versions, start
from tasks.registry.examination import _images
from tasks.registry.gate import gate
from tasks.registry.store import connect, open_experiment


@pytest.fixture
def saved(champion, monkeypatch):
    """A workspace with a champion, in which DVC is only asked to save; how often it was."""
    asked = []
    monkeypatch.setattr("tasks.intake.data_versions.save", asked.append)
    monkeypatch.setattr("tasks.intake.data_versions.has_remote", lambda: False)
    return asked


def fetch(wanted="champion"):
    editing.set_values(paths.PARAMS, {"train.start": wanted})
    return start.fetch(load(Params))


def test_the_champions_network_comes_with_what_is_known_of_it(saved):
    found = fetch()
    settings, table = load(Params), manifest.read_manifest()
    assert read("champion") == read(1) == found
    assert (found.name, found.backbone) == ("medloop version 1", settings.model.backbone)
    assert found.digest == digests.of_model(paths.START_MODEL)
    assert found.task == settings.task
    assert found.pixels.plain() == settings.preprocess.plain()
    for side in ("train", "val"):
        assert found.images[side] == sorted(manifest.of_split(table, side)["image_id"])
    before = paths.START_MODEL.stat().st_mtime_ns
    assert fetch(1) == found
    assert paths.START_MODEL.stat().st_mtime_ns == before, "it was written again"
    assert saved == [paths.STARTED_FROM] * 2


def test_another_champion_takes_its_place(saved):
    first = fetch()
    gate(load(Params))
    connect().set_registered_model_alias(NAME, "champion", "2")
    second = fetch()
    assert (first.version, second.version) == (1, 2)
    assert read("champion") == second


def test_a_version_that_may_not_serve_is_no_start(saved):
    with pytest.raises(RegistryError, match="version 2: the ledger says nothing about it"):
        fetch(2)
    with pytest.raises(RegistryError, match=r"to start from \(train.start: 7\); received: none"):
        fetch(7)
    assert not paths.START_FACTS.exists()


def test_without_a_champion_there_is_no_start(result, store):
    with pytest.raises(RegistryError, match=r"\(train.start: champion\); received: none"):
        fetch()


def test_a_run_without_what_is_needed_is_no_start(saved, champion):
    files = connect().get_run(champion.run_id).info.artifact_uri
    (Path(files.removeprefix("file://")) / paths.MODEL).unlink()
    with pytest.raises(RegistryError, match="required: the Keras model, parameters and list"):
        fetch()


def test_another_network_than_was_registered_is_no_start(saved):
    connect().set_model_version_tag(NAME, "1", model_versions.NETWORK, "0" * 64)
    with pytest.raises(RegistryError, match="received: another, the file in its run"):
        fetch()


def test_what_was_learnt_from_somebody_who_was_withdrawn_is_no_start(saved):
    image = manifest.of_split(manifest.read_manifest(), "train")["image_id"].iloc[0]
    key = load(Params).deid.key_id
    gone = {"key_id": key, "patients": {"": [file_of(image)]}}
    documents.write_json(paths.WITHDRAWN, gone)
    with pytest.raises(PrivacyError, match="which has from 1 withdrawn files"):
        fetch()


def test_a_run_names_its_start_and_whom_that_has_learnt_from(saved):
    found = fetch()
    table = manifest.read_manifest()
    lost = manifest.of_split(table, "train")["image_id"].tolist()[:2]
    manifest.write(table[~table["image_id"].isin(lost)], paths.MANIFEST, manifest.MANIFEST)
    write_model(b"weights 3")
    write_lock("result 3")
    run_id, client = publish(load(Params)), connect()
    store = open_experiment(load(Params).publish.experiment)
    tags = client.get_run(run_id).data.tags
    assert (tags["start.version"], tags["start.digest"]) == ("1", found.digest)
    named = _images(client, run_id)
    assert not set(lost) & set(named["train"])
    assert set(lost) < cases.learnt_from(named)["train"]
    assert exposure._counts(store, client.get_run(run_id), set(lost))["train"] == 2


def test_what_lies_there_goes_once_nothing_is_named(saved, capsys):
    fetch()
    paths.STARTED_FROM.version.write_text("outs:\n")
    editing.set_values(paths.PARAMS, {"train.start": None})
    command.main()
    assert "was cleared away" in capsys.readouterr().out
    assert list(paths.START.iterdir()) == []
    command.main()
    assert "training starts afresh" in capsys.readouterr().out
