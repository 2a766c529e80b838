"""What a hospital keeps MLflow's records in: PostgreSQL, an S3 server, a server of MLflow's.

All of it listens on loopback alone, and is gone with the test.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.common import servers
from worlds.loopback import free_port, reached, wait_for
from worlds.project import environment

PASSWORD = "open-sesame-twice"  # nowhere in what is printed
BUCKET = "mlflow"
NOBODY = "nobody"  # whom PostgreSQL runs as where the tests are root's, which it refuses to be
SECONDS = 120.0


def postgres() -> Path | None:
    """The folder of PostgreSQL's programs, the newest; Debian has them beside the PATH."""
    beside = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version)
    found = beside[-1] if beside else shutil.which("postgres")
    return Path(found).parent if found else None


def _version(program: Path) -> int:
    return int(program.parts[-3])


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty database, in a folder that who runs it can reach."""
    binaries, port = postgres(), free_port()
    assert binaries, "PostgreSQL is not installed"
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        folder, as_whom = Path(name), _as_ordinary_user()
        password = folder / "password"
        password.write_text(PASSWORD)
        if as_whom:
            for place in (folder, password):
                os.chown(place, as_whom["user"], as_whom["group"])
        _make_cluster(binaries, folder, as_whom)
        told = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        options = [f"--{key}={value}" for key, value in (told | {"fsync": "off"}).items()]
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), *options]
        ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        log, fast = folder / "server.log", signal.SIGINT
        with _running(command, log, lambda: _succeeds(ready), fast, cwd=folder, **as_whom):
            yield f"postgresql://medloop:{PASSWORD}@127.0.0.1:{port}/postgres"


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def _as_ordinary_user() -> dict[str, Any]:
    """For `Popen`: whom to run as, where that must be another."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(NOBODY)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _make_cluster(binaries: Path, folder: Path, as_whom: Mapping[str, Any]) -> None:
    options = ["-U", "medloop", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), *options, "--no-sync"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, **as_whom)


@contextmanager
def object_store(folder: Path) -> Iterator[dict[str, str]]:
    """An S3 server that keeps the bucket `BUCKET` in `folder`; what tells a client of it."""
    (folder / BUCKET).mkdir(parents=True)
    port, key = free_port(), ("medloop", PASSWORD)
    address = f"127.0.0.1:{port}"
    options = ["--addr", address, "--auth-key", ",".join(key), "--config", os.devnull]
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", *options, str(folder)]
    with _running(command, folder / "server.log", lambda: servers.is_busy(port)):
        yield {
            "MLFLOW_S3_ENDPOINT_URL": f"http://{address}",
            "AWS_ACCESS_KEY_ID": key[0],
            "AWS_SECRET_ACCESS_KEY": key[1],
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextmanager
def mlflow_server(folder: Path, *options: str, **variables: str) -> Iterator[str]:
    """The address of `mlflow server` with these options, its log in `folder`."""
    port = free_port()
    listens = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *listens, *options]
    # Its jobs are of language models, and take half a minute to end.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    inside = environment(**quiet, **variables)
    url, log = f"http://127.0.0.1:{port}", folder / "mlflow.log"
    with _running(command, log, lambda: reached(f"{url}/health"), cwd=folder, env=inside):
        yield url


@contextmanager
def _running(
    command: list[str],
    log: Path,
    answers: Callable[[], bool],
    how: int = signal.SIGTERM,
    **options: Any,
) -> Iterator[None]:
    """A program in the background that answers, ended by a signal; what it says is in a file."""
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, **options)
        try:
            wait_for(lambda: answers() or process.poll() is not None, SECONDS, command[0])
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.send_signal(how)
            process.wait(60)
