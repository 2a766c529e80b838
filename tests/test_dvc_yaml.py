"""`dvc.yaml` against the code: what a stage forgets does not make it run again."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT

from tasks.common import paths
from tasks.common.closure import digests_behind
from tasks.common.params.pixels import PixelSettings
from tasks.common.params.preprocess import Preprocess
from tasks.common.params.validate import ImageLimits

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
    made = {out for name in earlier for out in outs_of(name)} | {
        "data/raw",
        "data/external",
        "data/start",
        "docs/owner.md",
        "gx",
        "tasks",
    }
    assert set(STAGES[stage]["deps"]) <= made


@pytest.mark.parametrize("stage", [name for name in STAGES if name not in ("code", "publish")])
def test_params_are_the_sections_that_the_stage_reads(stage):
    named = {key for section, kind in read_by(stage) for key in keys_of(section, kind)}
    assert set(STAGES[stage]["params"]) == named, f"params of {stage}: [{', '.join(sorted(named))}]"


@pytest.mark.parametrize("stage", [name for name in STAGES if name not in ("code", "publish")])
def test_no_stage_runs_code_of_a_section_that_it_does_not_read(stage):
    """Else a new key there would make it run again. Pixels are what every pack is made with."""
    code = digests_behind(f"tasks.{stage}")
    sections = {Path(name).stem for name in code if name.startswith("tasks/common/params/")}
    read = {section for section, _ in read_by(stage)}
    assert sections - {"__init__", "loading", "section", "pixels"} <= read


def test_publish_records_the_whole_file():
    """But for what a search asks, which no result hangs on and a file of before lacks."""
    sections = set(YAML(typ="safe").load(ROOT / "params.yaml")) - {"tune"}
    assert set(STAGES["publish"]["params"]) == sections


def read_by(stage):
    """The sections that the type `Settings` of a stage names, and their types; from the source,
    which spares importing Keras.
    """
    tree = ast.parse((ROOT / "tasks" / f"{stage}.py").read_text())
    (settings,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Settings")
    fields = [n for n in settings.body if isinstance(n, ast.AnnAssign)]
    return [(n.target.id.rstrip("_"), n.annotation.id) for n in fields]


def keys_of(section, kind):
    """What DVC is to watch of a section. `preprocess.cluster` says where the work is done, not what
    comes out.
    """
    keys = {
        "Preprocess": [key for key in Preprocess.model_fields if key != "cluster"],
        "PixelSettings": list(PixelSettings.model_fields),
        "Source": ["source"],
        "Intervals": ["confidence"],
        "ImageLimits": list(ImageLimits.model_fields),
    }
    return [f"{section}.{key}" for key in keys[kind]] if kind in keys else [section]


def test_every_stage_says_what_it_does():
    assert all(entry["desc"] for entry in STAGES.values())
    assert all(entry["cmd"] == f"python -m tasks.{name}" for name, entry in STAGES.items())


def test_only_publish_has_an_effect_and_no_outs():
    assert [name for name in STAGES if not outs_of(name)] == ["publish"]
    assert STAGES["publish"]["always_changed"] is True


def test_nothing_trains_on_unvalidated_data():
    assert str(paths.VALIDATION) in STAGES["augment"]["deps"]
    assert str(paths.VIEWS) in STAGES["train"]["deps"]
