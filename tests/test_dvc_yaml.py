"""`dvc.yaml` against the code: a stage that forgets a module stays "up to date" after an edit."""

import re
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML
from world import ROOT

from tasks import paths
from tasks.params import Preprocess

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = PIPELINE["stages"]
NAMED_PATHS = {
    str(value) for name, value in vars(paths).items() if name.isupper() and isinstance(value, Path)
}


@pytest.fixture(scope="session")
def imports():
    return grimp.build_graph("tasks", cache_dir=None)


def modules_of(imports, stage):
    names = {f"tasks.{stage}"} | imports.find_upstream_modules(f"tasks.{stage}")
    packages = {name.rpartition(".")[0] for name in names} - {""}
    return sorted(str(file_of(name)) for name in names | packages)


def file_of(module):
    base = Path(*module.split("."))
    return base / "__init__.py" if (ROOT / base).is_dir() else base.with_suffix(".py")


def listed(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries or []]


def outs_of(stage):
    entry = STAGES[stage]
    return listed([*entry.get("outs", []), *entry.get("metrics", []), *entry.get("plots", [])])


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_every_module_that_the_stage_imports(imports, stage):
    code = [dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")]
    assert sorted(code) == modules_of(imports, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_paths_are_those_that_the_code_names(stage):
    files = [dep for dep in STAGES[stage]["deps"] if not dep.startswith("tasks/")]
    assert {*files, *outs_of(stage)} <= NAMED_PATHS


@pytest.mark.parametrize("stage", STAGES)
def test_files_come_from_earlier_stages(stage):
    earlier = list(STAGES)[: list(STAGES).index(stage)]
    made = {out for name in earlier for out in outs_of(name)} | {"data/raw", "gx"}
    files = [dep for dep in STAGES[stage]["deps"] if not dep.startswith("tasks/")]
    assert set(files) <= made


@pytest.mark.parametrize("stage", STAGES)
def test_params_are_the_sections_that_the_code_reads(imports, stage):
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
