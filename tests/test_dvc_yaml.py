"""`dvc.yaml` against the code: what a stage forgets does not make it run again."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT

from tasks.common import paths
from tasks.common.params import Preprocess

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = PIPELINE["stages"]
NAMED_PATHS = {
    str(value) for name, value in vars(paths).items() if name.isupper() and isinstance(value, Path)
}


def listed(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries or []]


def is_code(path):
    return path == "tasks" or path.startswith(f"{paths.CODE}/")


def outs_of(stage):
    entry = STAGES[stage]
    return listed([*entry.get("outs", []), *entry.get("metrics", []), *entry.get("plots", [])])


def test_every_stage_depends_on_its_own_code_and_that_is_written_first():
    assert next(iter(STAGES)) == "code"
    others = [name for name in STAGES if name != "code"]
    assert outs_of("code") == [f"code/{name}.json" for name in others]
    for name in others:
        code = [dep for dep in STAGES[name]["deps"] if dep.startswith(("code/", "tasks/"))]
        assert code == [f"code/{name}.json"]


@pytest.mark.parametrize("stage", STAGES)
def test_paths_are_those_that_the_code_names(stage):
    files = [path for path in (*STAGES[stage]["deps"], *outs_of(stage)) if not is_code(path)]
    assert set(files) <= NAMED_PATHS


@pytest.mark.parametrize("stage", STAGES)
def test_files_come_from_earlier_stages(stage):
    earlier = list(STAGES)[: list(STAGES).index(stage)]
    made = {out for name in earlier for out in outs_of(name)} | {"data/raw", "gx", "tasks"}
    assert set(STAGES[stage]["deps"]) <= made


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "code"])
def test_params_are_the_sections_that_the_code_reads(stage):
    """Every `settings.<section>` in the stage's own module, and nothing else."""
    source = (ROOT / "tasks" / f"{stage}.py").read_text()
    sections = YAML(typ="safe").load(ROOT / "params.yaml")
    read = set(re.findall(r"\bsettings\.([a-z_]+)", source))
    read = {name.rstrip("_") for name in read} & set(sections)
    if stage == "publish":  # it records the whole file
        read = set(sections)
    assert {section.split(".")[0] for section in STAGES[stage]["params"]} == read


def test_every_stage_says_what_it_does():
    assert all(entry["desc"] for entry in STAGES.values())
    assert all(entry["cmd"] == f"python -m tasks.{name}" for name, entry in STAGES.items())


def test_only_publish_has_an_effect_and_no_outs():
    assert [name for name in STAGES if not outs_of(name)] == ["publish"]
    assert STAGES["publish"]["always_changed"] is True


def test_nothing_trains_on_unvalidated_data():
    assert str(paths.VALIDATION) in STAGES["augment"]["deps"]
    assert str(paths.VIEWS) in STAGES["train"]["deps"]


def test_preprocess_runs_again_for_every_setting_but_where_it_is_done():
    settings = [*Preprocess.model_fields]
    assert STAGES["preprocess"]["params"] == [f"preprocess.{n}" for n in settings if n != "cluster"]
