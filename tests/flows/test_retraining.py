"""The flow without a server: its steps, what it skips, how a step and the flow end."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from prefect.exceptions import CancelledRun, FailedRun, TerminationSignal
from prefect.states import Cancelled, Completed, Failed
from ruamel.yaml import YAML
from worlds.project import ROOT

from flows import processes, retraining
from tasks.common import documents, editing, paths

STAGES = list(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])
BEFORE, BEHIND = STAGES[1 : STAGES.index("evaluate")], STAGES[STAGES.index("evaluate") :]


@pytest.fixture(autouse=True)
def no_prefect(monkeypatch):
    """What Prefect would give inside of a run."""
    monkeypatch.setattr(retraining, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(retraining, "flow_run", SimpleNamespace(id="", tags=[]))


@pytest.fixture
def ran(workspace, monkeypatch):
    """The commands that the flow runs, by name; `ran.ends` gives those that end otherwise."""
    commands = {}

    class Step:
        def with_options(self, name, task_run_name):
            assert task_run_name == name
            return self

        def __call__(self, name, command, return_state):
            commands[name] = list(command)
            return ran.ends.get(name, Completed())

    ran = SimpleNamespace(commands=commands, ends={}, labels=[], receipts=[])
    monkeypatch.setattr(retraining, "run_command", Step())
    monkeypatch.setattr(retraining, "_label", lambda *tags: ran.labels.append(tags))
    monkeypatch.setattr(retraining, "changed", lambda: None)
    monkeypatch.setattr("flows.artifacts.publish_validation", lambda: None)
    monkeypatch.setattr("flows.artifacts.publish_receipt", ran.receipts.append)
    monkeypatch.setattr("flows.artifacts.publish_verdict", lambda: None)
    monkeypatch.setattr("flows.artifacts.publish_card", lambda: None)
    registry = {"model_name": "medloop", "version": 3, "verdict": "passed"}
    documents.write_json(paths.StateEntry.LAST_RUN.path, registry)
    return ran


def test_the_flow_is_the_stages_between_pull_and_gate_behind_a_look_at_the_store(workspace):
    assert list(retraining.steps()) == ["store", "pull", *STAGES, "register", "gate"]


@pytest.mark.parametrize("named", [True, False])
def test_a_start_is_fetched_or_cleared_away_before_dvc_is_asked(ran, monkeypatch, named):
    if named:
        editing.set_values(paths.PARAMS, {"train.start": "champion"})
    else:
        paths.STARTED_FROM.folder.mkdir(parents=True)
    asked = []
    monkeypatch.setattr(retraining, "changed", lambda: asked.append(list(ran.commands)))
    assert retraining._run_steps().is_completed()
    assert list(ran.commands)[:4] == ["store", "pull", "start", STAGES[0]]
    assert ran.commands["start"][1:] == ["-m", "tasks.start"]
    assert asked[0][-1] == "start"


def test_each_stage_is_reproduced_with_what_it_needs(workspace):
    """Not `--single-item`, which says "didn't change" while an upstream stage has changed."""
    assert retraining.steps()["train"][1:] == ["-m", "dvc", "repro", "train"]
    assert retraining.steps()["gate"][1:] == ["-m", "tasks.gate"]


def test_where_dvc_cannot_say_every_step_runs(ran):
    state = retraining._run_steps()
    assert state.is_completed()
    assert state.message == "medloop version 3: passed"
    assert list(ran.commands) == ["store", "pull", *STAGES, "register", "gate"]
    assert ran.labels == [(), ("passed",)]


def test_where_alias_and_ledger_differ_the_flow_looks_first(ran, monkeypatch):
    monkeypatch.setattr("flows.watch.differs", lambda: True)
    assert retraining._run_steps().is_completed()
    assert list(ran.commands)[:2] == ["watch", "store"]
    assert ran.commands["watch"][1:] == ["-m", "tasks.watch"]


def test_what_stands_before_the_first_changed_stage_is_skipped(ran, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    answers = iter([STAGES, BEHIND])  # `code` has changed at first
    monkeypatch.setattr(retraining, "changed", lambda: next(answers))
    retraining._run_steps()
    assert list(ran.commands) == ["store", "pull", "code", *BEHIND, "register", "gate"]
    assert ran.commands["evaluate"][-2:] == ["repro", "evaluate"]
    [seconds] = ran.receipts
    assert list(seconds) == ["store", "pull", *STAGES, "register", "gate"]
    assert [name for name, value in seconds.items() if value is None] == BEFORE
    told = [record.message for record in caplog.records]
    assert "Unchanged, so skipped: " + ", ".join(BEFORE) in told
    count = len(STAGES) + 4
    left = ", ".join([*BEHIND[1:], "register", "gate"])
    assert f"{len(BEFORE) + 4} of {count}: evaluate; left: {left}" in told
    assert f"{count} of {count}: gate" in told


def test_where_publish_alone_is_left_dvc_looks_at_it_alone(ran, monkeypatch):
    monkeypatch.setattr(retraining, "changed", lambda: ["publish"])
    retraining._run_steps()
    assert list(ran.commands) == ["store", "pull", "publish", "register", "gate"]
    assert ran.commands["publish"][-3:] == ["repro", "--single-item", "publish"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"publish": ["always changed"]}, ["publish"]),
        ({"train": [{}], "publish": ["always changed"]}, STAGES[STAGES.index("train") :]),
        ({"data/raw.dvc": [{}], "preprocess": [{}]}, STAGES[1:]),
        ({"code": [{}], "publish": ["always changed"]}, STAGES),
        ({}, []),
    ],
)
def test_changed_are_the_stages_from_the_first_one_that_dvc_names(
    workspace, monkeypatch, said, found
):
    def dvc(command, on_line):
        assert command[1:] == ["-m", "dvc", "status", "--json"]
        on_line(json.dumps(said))

    monkeypatch.setattr(processes, "run", dvc)
    assert retraining.changed() == found


def test_a_status_that_fails_or_says_nothing_skips_nothing(workspace, monkeypatch):
    def fails(command, on_line):
        on_line("ERROR: odd")
        raise processes.CommandError

    for run in (fails, lambda command, on_line: None, lambda command, on_line: on_line("[odd")):
        monkeypatch.setattr(processes, "run", run)
        assert retraining.changed() is None


def test_the_first_failure_ends_the_flow_with_its_cause(ran):
    ran.ends["split"] = Failed(message="LeakError: a patient stands on two sides")
    state = retraining._run_steps()
    assert state.is_failed()
    assert state.message == "split: LeakError: a patient stands on two sides"
    assert list(ran.commands)[-1] == "split"


def test_a_stopped_step_cancels_the_flow(ran):
    ran.ends["code"] = Cancelled(message="x")
    state = retraining._run_steps()
    assert state.is_cancelled()
    assert state.message == "stopped; run it again to go on"


@pytest.mark.parametrize(("ran_", "told"), [(True, 1), (False, 0)])
def test_what_stops_validation_is_told_but_no_earlier_result(ran, monkeypatch, ran_, told):
    documents.write_json(paths.VALIDATION, {"passed": True, "warnings": [], "expectations": []})
    published = []
    monkeypatch.setattr("flows.artifacts.publish_validation", lambda: published.append(1))
    if ran_:
        paths.VALIDATION.unlink()
    ran.ends["validate"] = Failed(message="an expectation failed")
    assert retraining._run_steps().is_failed()
    assert len(published) == told


def command_of(code):
    return retraining.run_command.fn("train", [sys.executable, "-c", code])


def test_a_commands_failure_is_its_cause(workspace, caplog):
    caplog.set_level(logging.INFO)
    state = command_of("print('begun'); import sys; sys.exit('DataError: too few images')")
    assert state.is_failed()
    assert state.message == "DataError: too few images"
    levels = {record.message: record.levelname for record in caplog.records}
    assert levels == {"begun": "INFO", "DataError: too few images": "ERROR"}


@pytest.mark.parametrize(
    ("said", "ran_"),
    [
        ("Running stage 'train':", True),
        ("Stage 'split' didn't change, skipping", True),
        ("Stage 'train' didn't change, skipping", False),
        ("Stage 'train' is cached - skipping run, checking out outputs", False),
    ],
)
def test_what_a_step_took_is_remembered_where_it_ran(workspace, said, ran_):
    state = command_of(f"print({said!r})")
    assert state.is_completed()
    retraining._remember("train", state, 12.34)
    took = documents.read_memo(paths.StateEntry.SECONDS.path)
    assert took == ({"train": 12.3} if ran_ else {})


def test_a_failure_without_a_word_names_the_status(workspace):
    assert command_of("raise SystemExit(3)").message.endswith("ended with status 3")


def test_a_signal_ends_the_command_and_cancels_it(workspace):
    """No exception is raised where it finds this process: Prefect would count that as a crash."""
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    begun = time.monotonic()
    with processes.stoppable(signal.SIGINT):
        timer.start()
        state = command_of("import time; time.sleep(60)")
        assert command_of("raise SystemExit(3)").is_cancelled()  # nothing begins after it
    assert state.is_cancelled()
    assert state.message == "stopped; run it again to go on"
    assert time.monotonic() - begun < 10


def test_a_termination_by_prefects_worker_cancels_too(workspace, monkeypatch):
    def terminated(*_):
        raise TerminationSignal(signal=signal.SIGTERM)

    monkeypatch.setattr(processes, "run", terminated)
    assert command_of("").is_cancelled()


def test_prefect_logs_no_traceback_that_there_is_not():
    """It does for a task with no tries left, of a failure that is a state: `NoneType: None`."""
    step = retraining.run_command
    assert step.retries == 1
    assert step.retry_condition_fn(None, None, None) is False


@pytest.mark.parametrize(
    ("error", "logged"),
    [(CancelledRun("x"), False), (FailedRun("x"), False), (ValueError("x"), True), (None, True)],
)
def test_an_end_that_is_no_success_is_logged_once(error, logged):
    record = logging.makeLogRecord({"exc_info": error and (type(error), error, None)})
    assert bool(logging.getLogger("prefect.flow_runs").filter(record)) == logged


def test_a_run_is_called_by_date_source_and_version_of_the_data(workspace):
    assert retraining._name()[16:] == " phantom"
    paths.RAW_DVC.parent.mkdir()
    paths.RAW_DVC.write_text("outs:\n- md5: 23de1211dc59.dir\n  path: raw\n")
    name = retraining._name()
    assert time.strptime(name[:16], "%Y-%m-%d %H:%M")
    assert name[16:] == " phantom 23de1211"


def test_a_run_is_named_and_tagged_at_the_server(workspace, monkeypatch):
    sent = []

    class Client:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def update_flow_run(self, run, name, tags):
            sent.append((run, name, tags))

    monkeypatch.setattr(retraining, "get_client", lambda sync_client: Client())
    monkeypatch.setattr(retraining, "flow_run", SimpleNamespace(id="1", tags=["nightly"]))
    retraining._label("passed")
    [(run, name, tags)] = sent
    assert (run, name) == ("1", retraining._name())
    assert tags == ["nightly", "phantom", "binary", "EfficientNetLite0", "passed"]


def test_a_failed_check_is_the_state_of_the_flow(workspace, monkeypatch):
    """Where a worker runs it, no command line has looked before."""
    editing.set_values(paths.PARAMS, {"model.weights": "/nowhere.h5"})
    (workspace / ".git").mkdir()
    state = retraining.retrain.fn()
    assert state.is_failed()
    assert "there is no such file" in state.message
