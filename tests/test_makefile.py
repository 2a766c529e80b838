import os
import shutil

import pytest
from worlds.project import ROOT, run


@pytest.mark.parametrize(("made_in", "anew"), [(".venv", False), ("old place/.venv", True)])
def test_an_environment_that_was_moved_is_built_anew(tmp_path, made_in, anew):
    project = tmp_path / "new place"
    (project / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", project)
    (project / "requirements.lock").touch()
    (project / ".venv/.installed-requirements").touch()
    old = (project if not anew else tmp_path) / made_in
    command = f"home = /usr/bin\ncommand = /usr/bin/python3.11 -m venv {old}\n"
    (project / ".venv/pyvenv.cfg").write_text(command)
    said = run("make", "-n", "setup", "LOCK=requirements.lock", cwd=project).stdout
    assert ("rm -rf .venv" in said) == ("-m venv .venv" in said) == anew


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_gpu_gets_the_lock_of_the_backend_that_was_chosen(tmp_path, backend):
    driver = tmp_path / "bin/nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho GPU 0\n")
    driver.chmod(0o755)
    path = f"{driver.parent}:{os.environ['PATH']}"
    said = run("make", "-pn", "help", f"BACKEND={backend}", cwd=ROOT, PATH=path).stdout
    of_jax = "-jax" * (backend == "jax")
    assert f"KERAS_BACKEND := {backend}" in said.splitlines()
    assert f"INSTALLED := .venv/.installed-requirements-gpu{of_jax}" in said.splitlines()
