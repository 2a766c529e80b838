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


def test_a_killed_flows_orphans_are_found_and_ended(workspace):
    """The flow's own group is killed outright; the stage's group outlives it."""
    flow = subprocess.Popen(
        python(
            "from flows import processes\n"
            f"processes.run({python(GRANDCHILD)!r}, lambda line: print(line, flush=True))\n"
        ),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(paths.Path(__file__).parents[2])},
        start_new_session=True,
    )
    with flow:
        orphan = psutil.Process(int(flow.stdout.readline()))
        os.killpg(flow.pid, signal.SIGKILL)
    assert orphan.is_running()
    assert len(processes.end_orphans()) == 1
    wait_for(lambda: not orphan.is_running())
    assert processes.end_orphans() == []


def test_a_living_flows_commands_are_left_alone(workspace):
    ended = []
    processes.run(python("print('x')"), lambda line: ended.extend(processes.end_orphans()))
    assert ended == []


def test_a_second_flow_is_told_who_is_in_the_way(workspace):
    with processes.only_flow(), pytest.raises(processes.BusyError, match=str(os.getpid())):
        processes.only_flow().__enter__()
    with processes.only_flow():
        pass
