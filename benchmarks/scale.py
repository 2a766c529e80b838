"""60,000 small images from the source to a validated manifest: how long, and how much memory.

Once none is like another, once many are (`near_copies`), as in sets of many small pictures that
tell no patients. There is no reference: both limits are absolute. Memory is the sum over the
command and all its children, shared pages counted in each, sampled ten times per second.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import psutil

from benchmarks import near_copies
from benchmarks.increment import unique
from benchmarks.result import report
from tasks.common import editing
from tasks.imaging.levels import Pixels

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ("tasks", "gx", "dvc.yaml", "params.yaml", ".dvc", ".gitignore", ".dvcignore")
IMAGES, PER_PATIENT, SIDE = 60_000, 5, 64
CODING = (cv2.IMWRITE_JPEG_QUALITY, 95)
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


class Source(NamedTuple):
    """What is measured: pictures, each with the number of whom it shows, and whether that is told
    as the patient; the label follows from it in any case.
    """

    name: str
    draw: Callable[[int], Iterator[tuple[Pixels, int]]]
    tells_patients: bool


def distinct(count: int) -> Iterator[tuple[Pixels, int]]:
    """`count` pictures, none like another, of patients with several each."""
    generator = np.random.default_rng(0)
    for number in range(count):
        coarse = generator.integers(0, 255, (10, 10), np.uint8)
        picture = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        yield picture, number // PER_PATIENT


SOURCES = (Source("all distinct", distinct, True), Source("near copies", near_copies.draw, False))


def make_source(folder: Path, count: int, source: Source) -> Path:
    """Write `count` pictures as files of which no two are the same; the CSV of them."""
    folder.mkdir()
    rows = []
    for number, (picture, who) in enumerate(source.draw(count)):
        name, jpeg = f"{number:06}.jpg", cv2.imencode(".jpg", picture, CODING)[1].tobytes()
        (folder / name).write_bytes(unique(jpeg, number))
        rows.append((name, "no_nodule" if who % 3 else "nodule", str(who)))
    table = pd.DataFrame(rows, columns=["file", "label", "patient_id"])
    told = table if source.tells_patients else table.drop(columns="patient_id")
    told.to_csv(folder / "labels.csv", index=False)
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


def measure_all(count: int, source: Source) -> float:
    """Print what each command takes; the share of its limit that time or memory uses most."""
    print(f"{f'{count:,} images, {source.name}':28} {'seconds':>8} {'GB':>6}")
    measured = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        make_project(folder, make_source(Path(temporary) / "source", count, source))
        for command in COMMANDS:
            measured.append(measure(command, folder))
            _show(command[-1].removeprefix("tasks."), measured[-1])
    total = Measured(sum(one.seconds for one in measured), max(one.gigabytes for one in measured))
    _show("total", total)
    return max(total.seconds / SECONDS, total.gigabytes / GIGABYTES)


def _show(what: str, measured: Measured) -> None:
    print(f"{what:28} {measured.seconds:8.1f} {measured.gigabytes:6.2f}", flush=True)


def main(arguments: Sequence[str], count: int = IMAGES) -> None:
    """Measure both sources; the result is the worse of the two."""
    if arguments:
        sys.exit("usage: python -m benchmarks.scale")
    worst = max(measure_all(count, source) for source in SOURCES)
    _show("limit", Measured(SECONDS, GIGABYTES))
    report("scale", worst, 1.0, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
