"""`make repro`: DVC's own command, behind the checks of every run."""

from __future__ import annotations

import os
import sys

import pytest

from flows import repro


@pytest.fixture
def became(workspace, monkeypatch):
    commands = []
    monkeypatch.setattr(os, "execve", lambda program, command, variables: commands.append(command))
    monkeypatch.setattr("sys.argv", ["repro", "train"])
    return commands


def test_it_becomes_dvc_with_this_python(workspace, became):
    (workspace / ".git").mkdir()
    repro.main()
    assert became == [[sys.executable, "-m", "dvc", "repro", "train"]]


def test_what_is_missing_is_told_first(became, capsys):
    with pytest.raises(SystemExit, match="1"):
        repro.main()
    assert "required: a git repository" in capsys.readouterr().err
    assert became == []
