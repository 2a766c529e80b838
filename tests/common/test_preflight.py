"""What is looked at before work begins: each case ends in one line that says what fixes it."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest

from tasks.common import champion, editing, paths, preflight
from tasks.common.champion import Champion
from tasks.common.errors import (
    MedloopError,
    ParameterError,
    RegistryError,
    TrainingError,
    WeightsError,
    WorkspaceError,
)


@pytest.fixture
def repository(workspace, monkeypatch):
    """A workspace in which every check holds, on a machine without a GPU."""
    (workspace / ".git").mkdir()
    monkeypatch.setattr(preflight, "gpus", lambda: 0)
    preflight.require()
    return workspace


def refused(kind, text, **values):
    editing.set_values(paths.PARAMS, {name.replace("__", "."): v for name, v in values.items()})
    with pytest.raises(kind, match=text) as caught:
        preflight.require()
    assert issubclass(kind, MedloopError)
    assert "\n" not in str(caught.value)


def test_another_folder_is_named_as_such(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkspaceError, match=r"without dvc\.yaml and params\.yaml\. `cd` to"):
        preflight.require()
    assert list(tmp_path.iterdir()) == []


def test_a_download_without_git_says_what_to_do(repository):
    (repository / ".git").rmdir()
    refused(WorkspaceError, "ZIP download.*git init && git add -A && git commit")


def test_a_project_in_a_folder_of_a_repository_is_in_one(repository, monkeypatch):
    (repository / ".git").rmdir()
    (repository.parent / ".git").write_text("gitdir: a work tree's\n")
    preflight.require()


def test_dvc_may_do_without_git(repository):
    (repository / ".git").rmdir()
    (repository / ".dvc").mkdir()
    (repository / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    preflight.require()


def test_git_must_be_installed(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    refused(WorkspaceError, "required: git; received: none on the PATH")


def test_the_state_folder_is_no_file(repository):
    paths.state().write_text("")
    refused(WorkspaceError, "received: a file. Move it away, or let MEDLOOP_STATE")


def test_folders_that_cannot_be_written_are_told(repository, monkeypatch):
    monkeypatch.setattr(preflight.os, "access", lambda place, how: how != os.W_OK)
    refused(WorkspaceError, "the right to write in .*workspace; received: none")


def test_a_full_disk_is_told_and_a_small_one_noted(repository, monkeypatch):
    def with_free(gigabytes):
        usage = SimpleNamespace(free=gigabytes * 1e9)
        monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)

    with_free(0.4)
    refused(WorkspaceError, "required: 1 GB free in .*; received: 0.4")
    with_free(4)
    assert preflight.disk().advice
    with_free(400)
    assert preflight.disk() == preflight.Finding("400 GB free")


def test_weights_are_missed_before_anything_is_pulled(repository):
    refused(
        WeightsError,
        "received '/nowhere.h5', and there is no such file",
        model__weights="/nowhere.h5",
    )


@pytest.mark.parametrize("name", ["a/b", "a:b", "chest's", "what?", "a\tb", "..", "  ", "x" * 257])
def test_names_that_mlflow_refuses_are_no_parameters(repository, name):
    with pytest.raises(ParameterError, match=r"publish\.model_name"):
        editing.set_values(paths.PARAMS, {"publish.model_name": name})


@pytest.mark.parametrize("name", ["lung (v2)", "肺结节", 'a "b"', "a@b", "x" * 256])
def test_names_that_mlflow_takes_stay_allowed(repository, name):
    editing.set_values(paths.PARAMS, {"publish.model_name": name})
    preflight.require()


@pytest.mark.parametrize("there", [0, 1])
def test_gpus_that_are_not_there_are_missed(repository, monkeypatch, there):
    monkeypatch.setattr(preflight, "gpus", lambda: there)
    text = rf"required: 2 GPUs \(train.devices\); received: {there} .* Set train.devices to 1"
    refused(TrainingError, text, train__devices=2)
    monkeypatch.setattr(preflight, "gpus", lambda: 2)
    preflight.require()


LISTED = "GPU 0: NVIDIA H100 (UUID: GPU-1)\n  MIG 1g.10gb Device 0\nGPU 1: NVIDIA H100 (UUID: x)\n"


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 2), ("", 0), ("-1", 0), ("1", 1), ("0,1", 2), ("0,1,2,3", 2)]
)
def test_gpus_are_those_that_nvidia_lists_and_this_process_may_see(monkeypatch, visible, count):
    said = SimpleNamespace(stdout=LISTED)
    monkeypatch.setattr(preflight.subprocess, "run", lambda *_, **__: said)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert preflight.gpus() == count


def test_a_changed_task_is_told_before_training(repository, monkeypatch):
    best = Champion(3, ["nodule"])
    monkeypatch.setattr(champion, "find", lambda name: best)
    preflight.require()
    text = r"version 3 of 'medloop', which scores \['nodule'\]; received: \['mass'\].*model_name"
    refused(RegistryError, text, task__classes=["no_nodule", "mass"])
    editing.set_values(paths.PARAMS, {"task.classes": "auto"})
    preflight.require()  # nobody knows before the pull


def test_classes_that_the_champion_has_too_can_be_compared(repository, monkeypatch):
    monkeypatch.setattr(champion, "find", lambda name: Champion(1, ["a", "b", "c", "d"]))
    editing.set_values(paths.PARAMS, {"task": {"kind": "multiclass", "classes": ["c", "a", "b"]}})
    preflight.require()
