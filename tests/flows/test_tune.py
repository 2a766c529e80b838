"""Searching from the flows' command line: the data first, then the command."""

from contextlib import nullcontext

import pytest

from flows import processes, tune


@pytest.fixture
def commands(workspace, monkeypatch):
    ran = []
    monkeypatch.setattr("tasks.common.preflight.require", lambda: None)
    monkeypatch.setattr(processes, "stoppable", lambda *_: nullcontext())
    monkeypatch.setattr(processes, "run", lambda command, on_line: ran.append(command[2:]))
    monkeypatch.setattr("sys.argv", ["tune", "--apply"])
    return ran


def test_the_data_are_brought_up_to_date_before_the_search(commands):
    assert tune.main() == 0
    assert commands == [["dvc", "repro", "augment"], ["tasks.tune", "--apply"]]


def test_where_it_is_stopped_the_status_says_so(commands, monkeypatch, capsys):
    def stopped(command, on_line):
        raise processes.StoppedError

    monkeypatch.setattr(processes, "run", stopped)
    assert tune.main() == 130
    assert "Stopped; run it again to go on." in capsys.readouterr().out


def test_a_command_that_fails_ends_it(commands, monkeypatch, capsys):
    def fails(command, on_line):
        raise processes.CommandError("`-m dvc` ended with status 255")

    monkeypatch.setattr(processes, "run", fails)
    assert tune.main() == 1
    assert "ended with status 255" in capsys.readouterr().err
