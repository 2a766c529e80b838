"""60,000 small images from the source to a validated manifest: how long, and how much memory.

There is no reference: both limits are absolute. Memory is the sum over the command and all its
children, shared pages counted in each, sampled ten times a second.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import psutil

from benchmarks.result import report
from tasks.common import editing

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ("tasks", "gx", "dvc.yaml", "params.yaml", ".dvc", ".gitignore", ".dvcignore")
IMAGES, PER_PATIENT, SIDE = 60_000, 5, 64
SECONDS, GIGABYTES = 360.0, 2.0
COMMANDS = (
    (sys.executable, "-m", "tasks.pull"),
    ("dvc", "repro", "preprocess"),
    ("dvc", "repro", "split"),
    ("dvc", "repro", "validate"),
)


class Measured(NamedTuple):
    """Of one command: seconds, and gigabytes that it and its children held at most."""

    seconds: float
    gigabytes: float


def make_source(folder: Path, count: int) -> Path:
    """Write `count` pictures, none like another, of patients with several each; the CSV of them."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(0, 255, (10, 10), np.uint8)
        picture = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:06}.png"), picture)
    table = pd.DataFrame({"file": [f"{number:06}.png" for number in range(count)]})
    patients = np.arange(count) // PER_PATIENT
    table["label"] = np.where(patients % 3 == 0, "nodule", "no_nodule")
    table["patient_id"] = patients.astype(str)
    table.to_csv(folder / "labels.csv", index=False)
    return folder / "labels.csv"


def make_project(folder: Path, labels: Path) -> None:
    """A clone of the project as it stands, whose source is `labels`, with a key of its own."""
    folder.mkdir()
    private = shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
    for name in PROJECT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=private)
        else:
            shutil.copy(ROOT / name, folder / name)
    editing.set_values(
        folder / "params.yaml",
        {
            "pull.source": "folder",
            "pull.path": str(labels),
            "task.classes": ["no_nodule", "nodule"],
            "preprocess.size": [SIDE, SIDE],
        },
    )
    for command in (("git", "init", "-q"), (sys.executable, "-m", "tasks.key")):
        subprocess.run(command, cwd=folder, env=_environment(), check=True)


def _environment() -> dict[str, str]:
    ours = ("MEDLOOP_", "DVC_", "MLFLOW_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    return kept | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def measure(command: Sequence[str], folder: Path) -> Measured:
    """Run a command of the project in `folder`.

    Raises:
        SystemExit: it fails; its output is shown.
    """
    log = folder.with_name("log.txt")
    begun, peak, ended = time.perf_counter(), [0], threading.Event()
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(), stdout=out, stderr=subprocess.STDOUT
        )
        watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended))
        watcher.start()
        status = process.wait()
        seconds = time.perf_counter() - begun
        ended.set()
        watcher.join()
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}:\n{log.read_text()}")
    return Measured(seconds, peak[0] / 1e9)


def _watch(pid: int, peak: list[int], ended: threading.Event) -> None:
    while not ended.wait(0.1):
        peak[0] = max(peak[0], _held(pid))


def _held(pid: int) -> int:
    """Bytes resident in a process and its children."""
    held = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for process in processes:
        try:
            held += process.memory_info().rss
        except psutil.Error:  # it has just ended
            continue
    return held


def main(arguments: Sequence[str], count: int = IMAGES) -> None:
    """Measure each command; the result is the share of its limit that time or memory uses most."""
    if arguments:
        sys.exit("usage: python -m benchmarks.scale")
    measured = []
    print(f"{f'{count:,} images of {SIDE} px':24} {'seconds':>8} {'GB':>6}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        make_project(folder, make_source(Path(temporary) / "source", count))
        for command in COMMANDS:
            measured.append(measure(command, folder))
            name = command[-1].removeprefix("tasks.")
            print(
                f"{name:24} {measured[-1].seconds:8.1f} {measured[-1].gigabytes:6.2f}", flush=True
            )
    seconds = sum(one.seconds for one in measured)
    gigabytes = max(one.gigabytes for one in measured)
    print(f"{'altogether':24} {seconds:8.1f} {gigabytes:6.2f}")
    print(f"{'limit':24} {SECONDS:8.1f} {GIGABYTES:6.2f}")
    report("scale", max(seconds / SECONDS, gigabytes / GIGABYTES), 1.0, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
