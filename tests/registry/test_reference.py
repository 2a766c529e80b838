"""The reference bounds the slide: it stays where it is, and judges even when it no longer runs."""

from __future__ import annotations

from shutil import rmtree

import pytest
from worlds.registry import NAME, aliases, kinds, make_result, new_model, write_model

from tasks.common import editing, paths
from tasks.common.errors import RegistryError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import decisions, ledger, stored_scores
from tasks.registry.gate import gate
from tasks.registry.promotion import Said, promote
from tasks.registry.store import connect

REFERENCE = "the reference, version 1"


@pytest.fixture
def second(champion, quality):
    """Version 2 is champion, version 1 is the reference, and version 3 is to be judged."""
    judge()
    promote(NAME, 2)
    new_model(3)
    return quality


def judge():
    return gate(load(Params))


def newest():
    return ledger.read()[-1].facts


def test_the_first_champion_judges_beside_the_one_of_the_day(second):
    assert judge() == "not worse"
    compared = newest()["figures"]["compared"]
    assert list(compared) == ["the champion, version 2", REFERENCE]
    assert newest()["reference"] == 1


def test_it_stops_what_the_champion_alone_would_let_pass(second, quality):
    quality |= {2: 0.05, 3: 0.05}
    floors = ("auroc", "sensitivity", "specificity")
    lenient = {f"gate.floors.{name}": 0.0 for name in floors}
    margins = {"gate.margin": 0.9, "gate.reference_margin": 0.4}
    editing.set_values(paths.PARAMS, lenient | margins | {"gate.floors.calibration_error": 1.0})
    assert judge() == "failed"
    compared = newest()["figures"]["compared"]
    assert compared["the champion, version 2"]["word"] != "failed"
    assert compared[REFERENCE]["word"] == "failed"


def test_who_no_longer_runs_judges_by_its_stored_scores(second, files_of):
    rmtree(files_of(1))
    assert judge() == "not worse"
    assert newest()["figures"]["compared"][REFERENCE]["images"] == 22
    assert any(
        reason == f"{REFERENCE} no longer runs: its stored scores judge the 22 of 22 images that "
        "it had"
        for reason in newest()["reasons"]
    )


@pytest.mark.slow
def test_stored_scores_judge_the_images_that_they_are_of(second):
    connect().delete_model_version(NAME, "1")
    make_result(images=60)
    write_model(b"weights 3")
    assert judge() == "not worse"
    figures = newest()["figures"]
    assert figures["compared"]["the champion, version 2"]["images"] == 30
    assert figures["compared"][REFERENCE]["images"] == 22
    assert figures["frozen"]["images"] == 22
    assert "the test set has gained 8 images" in " ".join(newest()["reasons"])


def test_without_package_and_scores_another_must_be_named(second, monkeypatch):
    connect().delete_model_version(NAME, "1")
    monkeypatch.setattr(stored_scores, "load", lambda *_: None)
    with pytest.raises(RegistryError, match="--reference VERSION --reason WHY"):
        judge()
    decisions.refer(NAME, 2, Said("ada", "version 1 is gone"))
    assert judge() == "not worse"
    assert list(newest()["figures"]["compared"]) == ["the champion and reference, version 2"]


def test_a_person_moves_it_with_a_reason(second):
    with pytest.raises(RegistryError, match="required: --reason"):
        decisions.refer(NAME, 2, Said("ada"))
    decisions.refer(NAME, 2, Said("ada", "a new scanner"))
    assert kinds()[-1] == ("reference", 2)
    assert newest() | {"by": "ada", "reason": "a new scanner", "before": 1} == newest()
    assert aliases(connect())["champion"] == 2


@pytest.mark.slow
def test_what_was_not_judged_is_no_reference(second):
    with pytest.raises(RegistryError, match="nothing about it"):
        decisions.refer(NAME, 3, Said("ada", "I like it"))


def test_each_look_is_counted_and_takes_of_the_budget(second):
    judge()
    looks = [e.facts for e in ledger.read() if e.facts.get("champion") and "look" in e.facts]
    assert [facts["look"] for facts in looks] == [1, 2]
    assert looks[0]["level"] > looks[1]["level"]
    assert any("has decided 1 time before" in reason for reason in looks[1]["reasons"])


@pytest.mark.slow
def test_a_renewed_test_set_begins_a_new_budget(second):
    judge()
    make_result(images=120)
    write_model(b"weights 3")
    judge()
    assert (newest()["renewed"], newest()["look"]) == (True, 1)
    assert "have never decided, so its budget of looks begins anew" in " ".join(newest()["reasons"])
