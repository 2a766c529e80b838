"""A real scheduler and two real worker processes on 127.0.0.1."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pandas as pd
import pytest
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

    def begin(workers, cwd=ROOT):
        file = tmp_path / "scheduler.json"
        start("dask_scheduler", "--host", LOCAL, "--port", "0", "--scheduler-file", str(file))
        options = ("--host", LOCAL, "--nthreads", "1", "--no-nanny")
        processes = [
            start("dask_worker", *options, "--scheduler-file", str(file), cwd=cwd)
            for _ in range(workers)
        ]
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
    with pytest.raises(ParameterError, match=r"medloop\[cluster\]"):
        build(make_images(2), f"{LOCAL}:9")


def test_nothing_to_prepare_asks_no_cluster(workspace):
    images = make_images(2)
    _, receipt = build(images)
    assert build(images, f"{LOCAL}:9")[1] == receipt
