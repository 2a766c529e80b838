"""`python -m tasks.doctor`: what it sees, how it says it, and its status."""

from __future__ import annotations

import socket
import subprocess
from types import SimpleNamespace

import pytest

from tasks import doctor
from tasks.common import editing, paths, preflight, servers
from tasks.common.errors import (
    DataError,
    PrivacyError,
    RegistryError,
    TrainingError,
    WorkspaceError,
)
from tasks.common.preflight import Finding


def checks(monkeypatch, **checks_):
    monkeypatch.setattr(doctor, "CHECKS", checks_)


def broken():
    raise WorkspaceError("required: a hammer; received: none.\n  Buy one")


def test_each_check_is_told_and_what_is_broken_gives_1(monkeypatch, capsys):
    checks(
        monkeypatch,
        disk=lambda: Finding("400 GB free"),
        remote=lambda: Finding("none", "set one"),
        tools=broken,
    )
    with pytest.raises(SystemExit, match="1"):
        doctor.main()
    assert capsys.readouterr().out.splitlines() == [
        "ok      disk        400 GB free",
        "note    remote      none",
        "                    set one",
        "BROKEN  tools       required: a hammer; received: none.",
        "                      Buy one",
        "",
        "To be fixed: 1",
    ]


def test_where_all_is_well_the_status_is_0(monkeypatch, capsys):
    checks(monkeypatch, disk=lambda: Finding("400 GB free"), remote=lambda: Finding("a", "note"))
    with pytest.raises(SystemExit, match="0"):
        doctor.main()
    assert capsys.readouterr().out.endswith("\n\nAll is well.\n")


def test_in_another_folder_it_says_so_and_no_more(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        doctor.main()
    assert capsys.readouterr().out.count("BROKEN") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_checks_of_every_run_are_among_its_own():
    assert doctor.CHECKS.items() >= preflight.CHECKS.items()


def test_the_owners_text_is_looked_at(workspace):
    with pytest.raises(WorkspaceError, match=r"git checkout docs/owner\.md"):
        doctor.owners_text()
    paths.OWNER.parent.mkdir()
    paths.OWNER.write_text("## Aim\nTo find nodules.\n## Limits\n", encoding="utf-8")
    finding = doctor.owners_text()
    assert finding.says == "1 of 21 headings answered"
    assert "docs/owner.md has the questions" in finding.advice
    paths.OWNER.write_text("## Goal\n", encoding="utf-8")
    with pytest.raises(DataError, match="heading 1 of the file is not known"):
        doctor.owners_text()


@pytest.fixture
def locked(workspace, monkeypatch):
    """A lock of four packages, and what is installed of them."""
    (workspace / "requirements.lock").write_text(
        "one==1.0 \\\n    --hash=sha256:00\n    # via two\ntwo==2.0\n"
        "three==3.0 ; sys_platform == 'win32' \\\n"
        "four==4.0 ; python_full_version < '3.12' \\\n"
        "four==4.1 ; python_full_version >= '3.12' \\\n"
    )
    there = {"one": "1.0", "two": "2.0", "four": "4.0"}
    monkeypatch.setattr(doctor, "_installed", there.get)
    return there


def test_packages_are_those_of_the_lock(locked):
    assert doctor.versions().says.endswith("4 packages as in requirements.lock")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"two": "2.1"}, "received: two 2.1 in place of 2.0. `touch"),
        ({"one": None, "four": "5"}, "received: one missing in place of 1.0, four 5 in place of"),
        ({"three": "2.9"}, "three 2.9 in place of 3.0"),
    ],
)
def test_other_packages_are_named(locked, changed, told):
    locked.update(changed)
    with pytest.raises(WorkspaceError, match=told):
        doctor.versions()


def test_a_missing_key_is_broken_and_the_phantoms_is_known(workspace):
    assert doctor.key().says == "the phantom's"
    editing.set_values(paths.PARAMS, {"pull.source": "folder", "pull.path": "/x"})
    with pytest.raises(PrivacyError, match="make key"):
        doctor.key()


def test_a_busy_port_is_a_note_for_no_run_needs_it(workspace, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("MLFLOW_PORT", str(other.getsockname()[1]))
        assert "make server MLFLOW_PORT=" in doctor.ports().advice
    with servers.announced({"mlflow": "http://a", "prefect": "http://b"}):
        assert doctor.ports() == Finding("`make server` runs: http://a, http://b")


def answering(monkeypatch, **answer):
    answer = {"returncode": 0, "stdout": "", "stderr": ""} | answer
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(**answer))


def test_a_remote_is_reached_or_broken(workspace, monkeypatch):
    monkeypatch.setattr(doctor.data_versions, "has_remote", lambda: False)
    assert "dvc remote add" in doctor.remote().advice
    monkeypatch.setattr(doctor.data_versions, "has_remote", lambda: True)
    paths.RAW_DVC.parent.mkdir()
    paths.RAW_DVC.write_text("")
    answering(monkeypatch)
    assert doctor.remote() == Finding("reached")
    answering(monkeypatch, stdout="\tnew:  data/raw\n")
    assert "dvc push" in doctor.remote().advice
    answering(monkeypatch, returncode=255, stderr="WARNING: x\nERROR: no access\n")
    with pytest.raises(DataError, match="received: ERROR: no access"):
        doctor.remote()


def test_a_store_is_made_read_or_broken(workspace, monkeypatch):
    assert "which the first run makes" in doctor.store().says
    paths.store().mkdir()
    (paths.store() / "mlflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(RegistryError, match="required"):
        doctor.store()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(RegistryError, match="Connection refused"):
        doctor.store()


def test_a_prefect_server_that_is_named_must_answer(workspace, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert "one of its own" in doctor.prefect().says
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(WorkspaceError, match="PREFECT_API_URL"):
        doctor.prefect()


CUDA = {"nvidia-cudnn-cu12": "9"}
CUDA_FOR_JAX = {**CUDA, "jax-cuda12-plugin": "0.10"}


@pytest.mark.parametrize(
    ("there", "installed", "seen", "told"),
    [
        (0, {}, "", "0 here, computing on the CPU"),
        (1, {}, "", "LOCK=requirements-gpu-jax.lock or requirements-gpu.lock"),
        (0, CUDA, "", "requirements-gpu.lock is installed; `make setup LOCK=requirements.lock`"),
        (0, CUDA_FOR_JAX, "", "requirements-gpu-jax.lock is installed"),
        (2, CUDA, "noise\n2\n", "2 here, all seen by Keras's backend"),
    ],
)
def test_a_gpu_is_used_where_there_is_one(monkeypatch, there, installed, seen, told):
    monkeypatch.setattr(preflight, "gpus", lambda: there)
    monkeypatch.setattr(doctor, "_installed", installed.get)
    answering(monkeypatch, stdout=seen)
    finding = doctor.gpu()
    assert told in f"{finding.says} {finding.advice}"


@pytest.mark.parametrize("answer", [{"stdout": "0\n"}, {"returncode": 1}])
@pytest.mark.parametrize(
    ("installed", "backend"), [(CUDA, "BACKEND=tensorflow"), (CUDA_FOR_JAX, "BACKEND=jax")]
)
def test_a_gpu_that_the_backend_does_not_see_is_broken(monkeypatch, answer, installed, backend):
    monkeypatch.setattr(preflight, "gpus", lambda: 1)
    monkeypatch.setattr(doctor, "_installed", installed.get)
    answering(monkeypatch, **answer)
    with pytest.raises(TrainingError, match=f"sees 1 GPUs; received: one that sees 0.*{backend}"):
        doctor.gpu()
