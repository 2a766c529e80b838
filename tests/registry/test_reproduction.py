"""A version made once more: what is said first, what is refused, what differs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from worlds.registry import NAME

from tasks.common import paths
from tasks.common.documents import read_json
from tasks.common.errors import RegistryError
from tasks.registry import environment, reproduction
from tasks.registry.store import connect

LOCK = {
    "preprocess": {
        "deps": [{"path": "data/raw", "md5": "aa.dir"}],
        "outs": [{"path": "data/processed/pack.json", "md5": "1" * 32}],
    },
    "fine_tune": {"outs": [{"path": "models/model.keras", "md5": "2" * 32}]},
}


def test_what_is_not_as_it_was_is_told_first():
    today = environment.describe()
    assert list(environment.differences(today, today)) == []
    then = today | {"cpu": "another", "packages": today["packages"] | {"keras": "3.0", "gone": "1"}}
    assert list(environment.differences(then, today)) == [
        f"cpu: another then, {today['cpu']} now",
        "gone: 1 then, none now",
        f"keras: 3.0 then, {today['packages']['keras']} now",
    ]


def test_a_run_records_its_environment(champion, tmp_path):
    file = connect().download_artifacts(champion.run_id, environment.FILE, str(tmp_path))
    recorded, today = read_json(Path(file)), environment.describe()
    assert {name: recorded[name] for name in ("python", "cpu", "instructions")} == {
        name: today[name] for name in ("python", "cpu", "instructions")
    }
    assert recorded["packages"]["keras"] == today["packages"]["keras"]


def test_a_version_from_outside_a_repository_cannot_be_made_again(champion, tmp_path, capsys):
    with pytest.raises(RegistryError, match="the commit that the version was made from"):
        reproduction.reproduce(NAME, 1, tmp_path / "again")
    assert capsys.readouterr().out.startswith("This environment is ")


@pytest.fixture
def committed(champion):
    """The workspace as a repository whose commit the run names, with changes since."""
    for command in (["init", "-q"], ["add", "params.yaml", "dvc.yaml"], ["commit", "-qm", "x"]):
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *who, *command], check=True)
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    client = connect()
    client.set_tag(champion.run_id, "git.commit", told.stdout.strip())
    client.set_tag(champion.run_id, "git.dirty", "true")
    YAML(typ="safe").dump({"stages": LOCK}, paths.root() / paths.DVC_LOCK)
    client.log_artifact(champion.run_id, str(paths.DVC_LOCK))
    return client


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["the same", "others"])
def test_it_is_repeated_in_a_folder_of_its_own(committed, tmp_path, monkeypatch, capsys, weights):
    """With everything real but DVC."""
    ran = []

    def dvc(arguments, folder):
        ran.append(arguments[0])
        if arguments[0] == "repro":
            now = {name: dict(entry) for name, entry in LOCK.items()}
            if weights == "others":
                now["fine_tune"] = {"outs": [{"path": "models/model.keras", "md5": "3" * 32}]}
            YAML(typ="safe").dump({"stages": now}, folder / paths.DVC_LOCK)
            (folder / "models").mkdir()
            shutil.copy(package if weights == "the same" else paths.MODEL, folder / paths.MODEL)

    version = committed.get_model_version(NAME, "1")
    package = paths.root() / "first.keras"
    shutil.copy(committed.download_artifacts(version.run_id, str(paths.MODEL)), package)
    monkeypatch.setattr(reproduction, "_dvc", dvc)
    monkeypatch.setattr(reproduction, "_has_remote", lambda folder: False)
    same = reproduction.reproduce(NAME, 1, tmp_path / "again")
    assert same == (weights == "the same")
    assert ran == ["cache", "checkout", "repro"]
    raw = YAML(typ="safe").load(tmp_path / "again" / paths.RAW_DVC)
    assert raw == {"outs": [{"md5": "aa.dir", "hash": "md5", "path": "raw"}]}
    out = capsys.readouterr().out
    assert "with changes that nobody committed" in out
    told = "  fine_tune: models/model.keras is 33333333 now, 22222222 then\nAnother model: digest "
    assert (told in out) == (weights == "others")
    with pytest.raises(RegistryError, match="required: an empty folder"):
        reproduction.reproduce(NAME, 1, tmp_path / "again")
