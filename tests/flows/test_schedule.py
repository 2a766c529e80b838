"""The schedule for real: a server, a work pool, the deployment of prefect.yaml, a worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest
from worlds.loopback import free_port, reached, wait_for
from worlds.project import environment, make_project, run

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    folder = make_project(tmp_path / "project")
    schedule = folder / "prefect.yaml"
    text = schedule.read_text()
    assert '"0 2 * * *"' in text
    schedule.write_text(text.replace('"0 2 * * *"', '"* * * * *"'))
    return folder


@pytest.fixture
def prefect(project, tmp_path):
    """Start Prefect commands in `project` against a server of their own; end them all."""
    port = free_port()
    variables = {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "MEDLOOP_HOME": str(project),
    }
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "prefect", *arguments]
        with (tmp_path / f"{arguments[0]}.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=project, env=environment(**variables), stdout=log, stderr=log
            )
        started.append(process)

    start.variables = variables
    start.api = variables["PREFECT_API_URL"]
    start("server", "start", "--host", "127.0.0.1", "--port", str(port))
    wait_for(lambda: reached(f"{start.api}/health"), 120, "the server")
    yield start
    for process in reversed(started):
        process.send_signal(signal.SIGINT)
    for process in started:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def finished_runs(api):
    """The final states of the flow runs that the scheduler created."""
    request = urllib.request.Request(
        f"{api}/flow_runs/filter",
        data=json.dumps({"limit": 200}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        runs = json.load(answer)
    final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    return [
        run["state_type"] for run in runs if run["state_type"] in final and run["auto_scheduled"]
    ]


@pytest.mark.timeout(900)
def test_a_scheduled_run_ends_as_completed(project, prefect):
    tool = (sys.executable, "-m", "prefect")
    run(
        *tool,
        "work-pool",
        "create",
        "medloop",
        "--type",
        "process",
        cwd=project,
        **prefect.variables,
    )
    run(*tool, "--no-prompt", "deploy", "--all", cwd=project, **prefect.variables)
    prefect("worker", "start", "--pool", "medloop")
    states = wait_for(lambda: finished_runs(prefect.api), 600, "a scheduled run")
    assert states[0] == "COMPLETED"
    assert (project / "reports/report.html").exists()
