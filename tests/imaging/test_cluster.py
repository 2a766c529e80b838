"""A real scheduler and two real worker processes on 127.0.0.1."""

from __future__ import annotations

import builtins
import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest
from dask import config as dask_config
from worlds.project import ROOT

from tasks.common import digests, paths
from tasks.common.errors import DataError, ParameterError
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import batching, blocks, cluster, pack

SETTINGS = PixelSettings(size=[16, 24], color="grey", window=None)
LOCAL = "tcp://127.0.0.1"


@pytest.fixture
def dask(tmp_path):
    """Start scheduler and workers, as many as asked for; gives their processes and the address."""
    started = []

    def start(module, *arguments, cwd=ROOT):
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *arguments]
        with (tmp_path / f"{module}-{len(started)}.log").open("w") as log:
            started.append(subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT))
        return started[-1]

    def begin(workers, cwd=ROOT, options=("--host", LOCAL), tls=()):
        file = tmp_path / "scheduler.json"
        protocol = ("--protocol", "tls") if tls else ()
        options = (*options, *tls, "--scheduler-file", str(file))
        scheduler = start("dask_scheduler", "--port", "0", *protocol, *options)
        options = ("--nthreads", "1", "--no-nanny", *options)
        processes = [start("dask_worker", *options, cwd=cwd) for _ in range(workers)]
        begin.scheduler = scheduler
        deadline = time.monotonic() + 60
        while not file.exists() or not file.read_text().endswith("}"):
            assert time.monotonic() < deadline, "no scheduler"
            time.sleep(0.1)
        return json.loads(file.read_text())["address"], processes

    yield begin
    for process in started:
        process.kill()
        process.wait()


def make_images(count, broken=()):
    paths.RAW.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        image_id = digests.of_bytes(bytes([number]))
        pixels = np.random.default_rng(number).integers(0, 255, (300, 400), np.uint8)
        content = b"broken" if number in broken else cv2.imencode(".png", pixels)[1].tobytes()
        (paths.RAW / f"{image_id}.png").write_bytes(content)
        rows.append({"image_id": image_id, "path": f"{image_id}.png"})
    return pd.DataFrame(rows)


def build(images, scheduler=None):
    facts = pack.prepare_all(images, SETTINGS, scheduler)
    return facts, pack.write(sorted(facts.index[facts["reason"].isna()]), SETTINGS)


def test_worker_killed_in_the_middle_loses_nothing(workspace, dask, monkeypatch, tmp_path):
    images = make_images(200, broken={7})
    facts, receipt = build(images)
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path / "another clone"))
    monkeypatch.setattr(batching, "MOST_IMAGES", 2)
    address, (victim, _) = dask(workers=2)
    append, appended = blocks.Draft.append, []

    def killing(draft, pixels):
        appended.append(len(pixels))
        if len(appended) == 10:
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
        append(draft, pixels)

    monkeypatch.setattr(blocks.Draft, "append", killing)
    monkeypatch.setattr(batching, "prepare", None)  # nothing is prepared in this process
    facts_of_cluster, receipt_of_cluster = build(images, address)
    assert victim.returncode == -signal.SIGKILL
    assert len(appended) == 100
    assert receipt_of_cluster == receipt
    pd.testing.assert_frame_equal(facts_of_cluster, facts)


def test_worker_with_other_code_is_refused(workspace, dask, monkeypatch):
    images = make_images(3)
    address, _ = dask(workers=1)
    monkeypatch.setattr(cluster, "made_with", lambda settings: "other code")
    with pytest.raises(DataError, match="other code or other versions"):
        build(images, address)


def test_worker_outside_a_checkout(workspace, dask, tmp_path):
    address, _ = dask(workers=1, cwd=tmp_path)
    with pytest.raises(DataError, match="start them in a checkout"):
        build(make_images(3), address)


def test_nobody_at_the_address(workspace, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(DataError, match=r"required: a scheduler .*127\.0\.0\.1:9"):
        build(make_images(2), f"{LOCAL}:9")


def test_without_the_extra(workspace, monkeypatch):
    imported = builtins.__import__

    def lacking(name, *arguments):
        if name == "distributed":
            raise ModuleNotFoundError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ParameterError, match="`make setup` installs it"):
        build(make_images(2), f"{LOCAL}:9")


def test_nothing_to_prepare_asks_no_cluster(workspace):
    images = make_images(2)
    _, receipt = build(images)
    assert build(images, f"{LOCAL}:9")[1] == receipt


def recipe(marked):
    """The options of scheduler and worker in the block of either README that has `marked`."""
    found = []
    for name in ("README.md", "README.zh.md"):
        text = (ROOT / name).read_text()
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        (block,) = [block for block in blocks if marked in block]
        given = dict(re.findall(r'^(\w+)="(.*)"$', block, re.MULTILINE))
        for command in re.findall(r"cli\.dask_\w+ (.*?)  +#", block):
            words = [given.get(word.removeprefix("$"), word) for word in command.split()]
            options = [word for word in words if not word.startswith(("tcp:", "tls:"))]
            found.append(" ".join(options).split())
    return found


def test_the_recipe_for_one_machine_listens_on_loopback_alone(workspace, dask):
    scheduler, worker, *other_language = recipe("--host 127.0.0.1")
    assert [scheduler, worker] == other_language
    assert scheduler == worker
    options = [option for option in scheduler if option != "--no-dashboard"]
    address, started = dask(workers=1, options=options)
    images = make_images(3)
    assert build(images, address)[1]["shape"][0] == 3
    listening = {
        connection.laddr.ip
        for process in (*started, dask.scheduler)
        for connection in psutil.Process(process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_the_recipe_for_several_machines_takes_nobody_without_a_certificate(
    workspace, dask, monkeypatch, capsys
):
    text = (ROOT / "README.md").read_text()
    certify = re.search(r"^openssl .*?(?=  +#)", text, re.MULTILINE)[0]
    assert certify in (ROOT / "README.zh.md").read_text()
    subprocess.run(certify.split(), check=True, capture_output=True)
    scheduler, worker, *other_language = recipe("openssl")
    assert [scheduler, worker] == other_language
    assert scheduler == ["--protocol", "tls", *worker]
    tls = [option.replace("dask.", f"{workspace}/dask.") for option in worker]
    address, _ = dask(
        workers=1, options=("--host", "127.0.0.1"), tls=[o for o in tls if o != "--no-dashboard"]
    )
    assert address.startswith("tls://")
    images = make_images(3)
    with pytest.raises(DataError, match=r"received: TypeError.*the certificate"):
        build(images, address)
    for name, value in re.findall(r"(DASK_\w+)=\$PWD/(\S+)", text):
        monkeypatch.setenv(name, f"{workspace}/{value}")
    dask_config.refresh()
    assert build(images, address)[1]["shape"][0] == 3
    assert "Warning" not in capsys.readouterr().err
    for name in list(os.environ):
        if name.startswith("DASK_"):
            monkeypatch.delenv(name)
    dask_config.refresh()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tcp://10.0.0.5:8786", True),
        ("10.0.0.5:8786", True),
        ("scheduler.hospital.org:8786", True),
        ("ws://10.0.0.5:8786", True),
        ("tcp://[fe80::1]:8786", True),
        ("tcp://0.0.0.0:8786", True),
        ("tcp://:8786", True),
        ("tls://10.0.0.5:8786", False),
        ("wss://10.0.0.5:8786", False),
        ("tcp://127.0.0.1:8786", False),
        ("127.0.0.9:8786", False),
        ("tcp://[::1]:8786", False),
        ("localhost:8786", False),
    ],
)
def test_an_address_that_others_reach_is_told_from_one_that_they_do_not(address, expected):
    assert cluster.is_open(address) is expected


def test_an_open_address_is_warned_of(workspace, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(DataError, match="required: a scheduler"):
        build(make_images(2), "tcp://0.0.0.0:9")
    assert (
        "Warning: preprocess.cluster = tcp://0.0.0.0:9 is not encrypted" in capsys.readouterr().err
    )
