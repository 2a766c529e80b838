from __future__ import annotations

import json

import pytest
from worlds.project import ROOT
from worlds.validation import failed, make_world

from tasks.checks.expectations import limits
from tasks.common import editing, paths
from tasks.common.errors import ParameterError

USABLE = paths.EXPECTATIONS / "expectations" / "usable_images.json"


@pytest.fixture
def world(workspace):
    return make_world()


def suites():
    return sorted((ROOT / paths.EXPECTATIONS / "expectations").glob("*.json"))


def add(expectation):
    """What a person does: one more expectation in a suite."""
    suite = json.loads(USABLE.read_text())
    suite["expectations"].append(expectation)
    USABLE.write_text(json.dumps(suite))


def too_bright(limit):
    return {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "mean", "max_value": limit},
        "description": "No image is brighter than our scanner makes them",
        "meta": {"fix": "ask the radiology department"},
    }


@pytest.mark.parametrize("path", suites(), ids=lambda path: path.stem)
def test_every_expectation_says_what_it_is_and_what_fixes_it(path):
    for expectation in json.loads(path.read_text())["expectations"]:
        assert expectation["description"]
        assert expectation["meta"]["fix"]
        assert expectation["severity"] in ("critical", "warning")


def test_every_parameter_of_the_suites_is_known(defaults):
    known = limits(defaults.task, defaults.preprocess, defaults.split, defaults.validate_)
    named = json.loads(f"[{','.join(path.read_text() for path in suites())}]")
    used = {
        value["$PARAMETER"]
        for suite in named
        for expectation in suite["expectations"]
        for value in expectation["kwargs"].values()
        if isinstance(value, dict)
    }
    assert used <= set(known)
    assert known["validate_intensity_mean_1"] == 250
    assert known["channels"] == 1


def test_a_suite_of_before_says_what_to_do_by_its_old_word(world):
    old = too_bright(150)
    add(old | {"meta": {"mend": old["meta"]["fix"]}})
    assert failed(world, only=["usable_images"])[0].fix == "ask the radiology department"


def test_an_added_expectation_takes_effect_and_the_folder_stays_as_it_is(world):
    add(too_bright(150))
    before = {path: path.read_bytes() for path in paths.EXPECTATIONS.rglob("*") if path.is_file()}
    (finding,) = failed(world, only=["usable_images"])
    assert finding.says == "No image is brighter than our scanner makes them"
    assert finding.fix == "ask the radiology department"
    assert len(finding.rows) == int((world["mean"] > 150).sum())
    after = {path: path.read_bytes() for path in paths.EXPECTATIONS.rglob("*") if path.is_file()}
    assert after == before


def test_one_number_stands_in_one_place(world):
    editing.set_values(paths.PARAMS, {"validate.intensity_mean": [5, 150]})
    (finding,) = failed(world, only=["usable_images"])
    assert finding.limits == {"min_value": 5, "max_value": 150}


WRONG = {
    "no parameter": (too_bright({"$PARAMETER": "validate_brightness"}), "validate_brightness"),
    "no column": (too_bright(1) | {"kwargs": {"column": "age", "max_value": 1}}, "age"),
    "no such expectation": (too_bright(1) | {"type": "expect_miracles"}, "expect_miracles"),
    "no description": (too_bright(1) | {"description": None}, "expectation 12 has no description"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_slip_of_a_person_is_named_with_its_file(world, name):
    wrong, told = WRONG[name]
    add(wrong)
    with pytest.raises(ParameterError, match=told) as caught:
        failed(world, only=["usable_images"])
    assert "usable_images.json" in str(caught.value)


def test_json_that_is_none_is_named(world):
    USABLE.write_text("{")
    with pytest.raises(ParameterError, match=r"usable_images\.json: required: JSON of the form"):
        failed(world, only=["usable_images"])
