import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from flows import processes
from tasks.common import paths


def python(code):
    return [sys.executable, "-c", code]


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_output_comes_line_by_line(workspace):
    lines = []
    processes.run(python("print('one'); print(); print('two')"), lines.append)
    assert lines == ["one", "two"]


def test_a_failure_names_its_status(workspace):
    with pytest.raises(processes.CommandError, match="status 3"):
        processes.run(python("raise SystemExit(3)"), lambda line: None)


def test_a_command_finds_this_interpreters_tools(workspace):
    lines = []
    processes.run(["python", "-c", "import sys; print(sys.executable)"], lines.append)
    assert os.path.dirname(lines[0]) == os.path.dirname(sys.executable)  # noqa: PTH120


GRANDCHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def test_an_interruption_ends_the_grandchildren_too(workspace):
    pids = []

    def interrupt(line):
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processes.run(python(GRANDCHILD), interrupt)
    wait_for(lambda: not psutil.pid_exists(pids[0]))


def kill_flow(code):
    """Kill a flow that runs a command, and nothing else; the process that the command prints."""
    flow = subprocess.Popen(
        python(
            "from flows import processes\n"
            f"processes.run({python(code)!r}, lambda line: print(line, flush=True))\n"
        ),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(paths.Path(__file__).parents[2])},
        start_new_session=True,
    )
    with flow:
        orphan = psutil.Process(int(flow.stdout.readline()))
        os.killpg(flow.pid, signal.SIGKILL)
    return orphan


def test_a_killed_flows_orphans_are_found_and_ended(workspace):
    """The flow's own group is killed outright; the stage's group outlives it."""
    orphan = kill_flow(GRANDCHILD)
    assert orphan.is_running()
    assert len(processes.end_orphans()) == 1
    wait_for(lambda: not orphan.is_running())
    assert processes.end_orphans() == []


def test_an_orphan_that_outlives_its_leader_is_found(workspace):
    orphan = kill_flow(GRANDCHILD.rpartition("time.sleep")[0])
    wait_for(lambda: not psutil.pid_exists(os.getpgid(orphan.pid)))
    assert len(processes.end_orphans()) == 1
    wait_for(lambda: not orphan.is_running())


def test_another_workspace_has_its_own_orphans(workspace, monkeypatch, tmp_path):
    orphan = kill_flow(GRANDCHILD)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("MEDLOOP_STATE", str(tmp_path / "elsewhere"))
        assert processes.end_orphans() == []
    assert len(processes.end_orphans()) == 1
    wait_for(lambda: not orphan.is_running())


SLEEP = ["sleep", "60"]


@pytest.fixture
def start():
    """Start processes with the mark of a command; they are ended with the test."""
    started = []

    def start_one(mark=None):
        environment = os.environ | ({} if mark is None else {processes.STARTED_BY: mark})
        started.append(subprocess.Popen(SLEEP, env=environment, start_new_session=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("owner", ["", "x", "-1", "0.5", "\N{SUPERSCRIPT TWO}"])
def test_a_process_without_a_mark_that_counts_is_left_alone(start, workspace, owner):
    """Also one that has the id of a group that an earlier version wrote down before a reboot."""
    unmarked, foreign = start(), start(f"{owner} {paths.state()}")
    (paths.state() / "groups").mkdir(parents=True)
    record = paths.state() / "groups" / f"{unmarked.pid}.json"
    record.write_text(f'{{"group": {unmarked.pid}, "started": 1, "owner": 1, "owner_started": 1}}')
    assert processes.end_orphans() == []
    assert unmarked.poll() is foreign.poll() is None


def test_an_owner_is_gone_where_a_later_process_has_its_id(start, workspace, monkeypatch):
    earlier = start()
    orphan = start(f"{earlier.pid} {paths.state()}")
    assert processes.end_orphans() == []
    started = psutil.Process.create_time

    def later(process):
        return started(process) + (100 if process.pid == earlier.pid else 0)

    monkeypatch.setattr(psutil.Process, "create_time", later)
    assert processes.end_orphans() == [orphan.pid]
    assert orphan.poll() is not None
    assert earlier.poll() is None


def test_a_dead_owner_that_nobody_has_waited_for_is_gone(start, workspace):
    owner = start()
    orphan = start(f"{owner.pid} {paths.state()}")
    owner.kill()
    wait_for(lambda: psutil.Process(owner.pid).status() == psutil.STATUS_ZOMBIE)
    assert processes.end_orphans() == [orphan.pid]


def test_a_flow_never_ends_itself(workspace):
    """A worker's flows carry the worker's mark, and the worker may have been killed."""
    code = "from flows import processes; print(processes.end_orphans())"
    gone = start_and_end()
    environment = os.environ | {
        "PYTHONPATH": str(paths.Path(__file__).parents[2]),
        processes.STARTED_BY: f"{gone} {paths.state()}",
    }
    found = subprocess.run(
        python(code),
        env=environment,
        start_new_session=True,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout) == (0, "[]\n")


def start_and_end():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_living_flows_commands_are_left_alone(workspace):
    ended = []
    processes.run(python("print('x')"), lambda line: ended.extend(processes.end_orphans()))
    assert ended == []


def test_a_second_flow_is_told_who_is_in_the_way(workspace):
    with processes.only_flow(), pytest.raises(processes.BusyError, match=str(os.getpid())):
        processes.only_flow().__enter__()
    with processes.only_flow():
        pass
