import json
from pathlib import Path

import pytest
from worlds.registry import NAME, aliases, kinds, make_result, new_model, write_lock, write_model

from tasks.common import editing, paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import of_split, read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import last_run, ledger, live_runs, model_versions
from tasks.registry.gate import gate
from tasks.registry.promotion import promote
from tasks.registry.registration import register
from tasks.serving import packing


def test_the_same_model_again_is_two_runs_and_one_version(result, store):
    first, version = publish(result), register(result)
    write_lock("result 2")
    second, again = publish(result), register(result)
    assert len(live_runs.search(store, {})) == 2
    (only,) = model_versions.every(store.client, NAME)
    assert (only.version, again.version) == (version.version, version.version)
    assert (only.run_id, only.tags["run_id"]) == (first, second)
    assert only.tags["result.digest"] == store.client.get_run(second).data.tags["result.digest"]


def test_another_operating_point_is_another_version_of_the_same_network(result, store):
    new_model(1)
    (paths.SERVING / "serving.json").write_text('{"threshold": 0.4}')
    write_lock("result 2")
    publish(result)
    assert register(result).version == 2
    two, one = model_versions.every(store.client, NAME)
    assert two.tags["model.digest"] == one.tags["model.digest"]
    assert two.tags["package.digest"] != one.tags["package.digest"]


def test_a_result_that_is_not_published_cannot_be_registered(result, store):
    with pytest.raises(RegistryError, match="dvc repro publish"):
        register(result)


def test_a_model_that_is_not_registered_cannot_be_judged(result, store):
    with pytest.raises(RegistryError, match=r"tasks\.register"):
        gate(result)


def test_the_first_to_pass_becomes_champion(result, store, quality):
    quality[1] = 0.0
    new_model(1)
    assert gate(result) == "failed"
    assert aliases(store.client) == {}
    new_model(2)
    assert gate(result) == "first"
    assert aliases(store.client) == {"champion": 2, "challenger": 2}
    new_model(3)
    assert gate(result) == "not worse"
    assert aliases(store.client) == {"champion": 2, "challenger": 3}
    assert kinds() == [("failed", 1), ("first", 2), ("passed", 3)]


def test_a_worse_challenger_fails_and_the_aliases_stay(result, store, quality):
    new_model(1)
    gate(result)
    quality[2] = 0.3
    floors = dict.fromkeys(("auroc", "sensitivity", "slice_auroc", "slice_sensitivity"), 0.0)
    editing.set_values(paths.PARAMS, {f"gate.floors.{name}": x for name, x in floors.items()})
    new_model(2)
    assert gate(load(Params)) == "failed"
    assert aliases(store.client) == {"champion": 1, "challenger": 1}
    entry = ledger.read()[-1]
    told = "the champion and reference, version 1"
    assert entry.facts["figures"]["compared"][told]["low"] < -0.3
    assert any(reason.startswith(f"failed, beside {told}") for reason in entry.facts["reasons"])


def test_the_verdict_is_told_where_people_look(result, store, quality, capsys):
    new_model(1)
    gate(result)
    assert capsys.readouterr().out.strip().endswith("version 1: first")
    assert last_run.read()["verdict"] == "first"
    (version,) = model_versions.every(store.client, NAME)
    assert version.tags["gate.verdict"] == "first"
    told = Path(store.client.download_artifacts(version.run_id, "gate.json"))
    assert json.loads(told.read_text())["hash"] == ledger.read()[0].hash


def test_the_champion_is_not_compared_with_itself(result, store, quality):
    new_model(1)
    gate(result)
    assert gate(result) == "champion"
    assert kinds() == [("first", 1)]


def test_the_same_terms_give_no_second_entry(result, store, quality):
    new_model(1)
    gate(result)
    new_model(2)
    assert [gate(result), gate(result)] == ["not worse", "not worse"]
    assert kinds() == [("first", 1), ("passed", 2)]
    stricter = result.gate.model_copy(update={"margin": 0.0})
    gate(result.model_copy(update={"gate": stricter}))
    assert len(ledger.read()) == 3


def test_a_larger_test_set_is_judged_anew_and_the_frozen_one_told(result, store, quality):
    new_model(1)
    gate(result)
    new_model(2)
    gate(result)
    make_result(images=60)
    write_model(b"weights 2")
    assert gate(result) == "not worse"
    figures = ledger.read()[-1].facts["figures"]
    assert len(ledger.read()) == 3
    assert (figures["images"], figures["frozen"]["images"]) == (30, 22)


def test_an_interrupted_gate_is_set_right(result, store, quality, monkeypatch):
    new_model(1)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.registry.gate._mark", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gate(result)
    assert (kinds(), aliases(store.client)) == ([("first", 1)], {})
    assert gate(result) == "first"
    assert (kinds(), aliases(store.client)) == ([("first", 1)], {"champion": 1, "challenger": 1})


def test_only_a_person_gives_the_title_again(result, store, quality):
    new_model(1)
    gate(result)
    store.client.delete_registered_model_alias(NAME, "champion")
    new_model(2)
    assert gate(result) == "not worse"
    assert aliases(store.client) == {"challenger": 2}


def test_a_tampered_ledger_stops_the_gate(result, store, quality):
    quality[1] = 0.0
    new_model(1)
    gate(result)
    ledger.path().write_text(ledger.path().read_text().replace('"failed"', '"passed"'))
    with pytest.raises(RegistryError, match="line 1 of"):
        gate(result)
    with pytest.raises(RegistryError, match="line 1 of"):
        promote(NAME, 1)


def test_an_edited_digest_is_found(result, store, quality):
    new_model(1)
    new_model(2)
    store.client.set_model_version_tag(NAME, "2", "package.digest", "edited")
    store.client.set_model_version_tag(NAME, "1", "package.digest", packing.of_workspace())
    with pytest.raises(RegistryError, match="was edited"):
        gate(result)


def test_promotion_moves_the_champion_and_back(result, store, quality):
    new_model(1)
    gate(result)
    new_model(2)
    gate(result)
    assert promote(NAME) == 2
    assert aliases(store.client)["champion"] == 2
    assert promote(NAME, 1) == 1
    assert aliases(store.client)["champion"] == 1
    assert kinds()[-4:] == [
        ("promoting", 2),
        ("promoted", 2),
        ("promoting", 1),
        ("promoted", 1),
    ]
    promote(NAME, 1)
    assert len(ledger.read()) == 6


def test_a_version_that_did_not_pass_is_not_promoted(result, store, quality):
    new_model(1)
    gate(result)
    quality[2] = 0.0
    new_model(2)
    with pytest.raises(RegistryError, match="nothing about it"):
        promote(NAME, 2)
    gate(result)
    with pytest.raises(RegistryError, match="misses the floor"):
        promote(NAME, 2)
    assert aliases(store.client)["champion"] == 1


def test_edited_tags_do_not_promote(result, store, quality):
    new_model(1)
    gate(result)
    quality[2] = 0.0
    new_model(2)
    gate(result)
    good = model_versions.every(store.client, NAME)[1].tags["package.digest"]
    for tag, value in {"gate.verdict": "passed", "package.digest": good}.items():
        store.client.set_model_version_tag(NAME, "2", tag, value)
    with pytest.raises(RegistryError, match="misses the floor"):
        promote(NAME, 2)


@pytest.mark.parametrize("number", [7, None])
def test_a_version_that_does_not_exist_is_not_promoted(result, store, quality, number):
    with pytest.raises(RegistryError, match="received: none"):
        promote(NAME, number)


def test_missing_test_images_are_an_error_that_helps(result, store):
    new_model(1)
    for path in of_split(read_manifest(), "test")["path"]:
        (paths.RAW / path).unlink()
    with pytest.raises(RegistryError, match="dvc pull"):
        gate(result)
