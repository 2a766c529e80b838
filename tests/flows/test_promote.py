"""Promotion as a flow: what the registry is asked, and what its answer becomes."""

from __future__ import annotations

import sys

import pytest
from prefect.states import Completed, Failed
from worlds.project import ROOT, run

from flows import promote

REFUSED = Failed(message="promote failed")


@pytest.fixture
def asked(monkeypatch):
    """The commands that the flow would run; the second one fails."""
    commands = []

    class Step:
        def with_options(self, name):
            assert name == "promote"
            return self

        def __call__(self, name, command, return_state):
            commands.append(command)
            return REFUSED if len(commands) > 1 else Completed()

    monkeypatch.setattr(promote, "run_command", Step())
    return commands


def test_a_version_is_passed_on_and_no_version_means_the_challenger(asked):
    promote.promote.fn()
    promote.promote.fn(version=3)
    registry = [sys.executable, "-m", "tasks.promote"]
    assert asked == [registry, [*registry, "3"]]


def test_a_refusal_is_the_state_of_the_flow(asked):
    assert promote.promote.fn(1).is_completed()
    assert promote.promote.fn(1) is REFUSED


@pytest.mark.parametrize(
    ("arguments", "version", "state", "status"),
    [([], None, Completed(), 0), (["3"], 3, Completed(), 0), (["3"], 3, REFUSED, 1)],
)
def test_the_status_says_whether_it_was_promoted(monkeypatch, arguments, version, state, status):
    given = []

    def flow(version, return_state):
        given.append(version)
        return state

    monkeypatch.setattr(promote, "promote", flow)
    monkeypatch.setattr("sys.argv", ["promote", *arguments])
    assert promote.main() == status
    assert given == [version]


def test_a_version_is_a_number(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["promote", "champion"])
    with pytest.raises(SystemExit, match="2"):
        promote.main()
    assert "invalid int value: 'champion'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_refused_promotion_says_why_and_ends_with_1(workspace):
    command = (sys.executable, "-m", "flows.promote", "7")
    done = run(*command, cwd=workspace, check=False, PYTHONPATH=str(ROOT))
    assert done.returncode == 1
    assert "RegistryError: required: version 7 of 'medloop'; received: none" in done.stderr
