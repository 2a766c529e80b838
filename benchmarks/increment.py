"""What a few new images cost the stage preprocess, and how its memory grows with their number.

The reference of the time is the first run over all the others, in the same process, state and
folder. Memory is the peak of a fresh process that prepares 1,000 small images, against one that
prepares 20,000.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import cv2
import numpy as np
import pandas as pd

from benchmarks.result import report
from tasks.common import paths
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import batching, pack
from tasks.imaging.preparation import Prepared, prepare

SETTINGS = PixelSettings(size=[224, 224], color="grey", window=None)
FIRST, NEW, SIDE = 5000, 50, 1024
FEW, MANY, SMALL_SIDE = 1000, 20_000, 64
TIME_GOAL = 0.10  # of the first run
MEMORY_GOAL = 1.3  # times the peak of the few, whose pixels are a twentieth
DISTINCT = 16  # pictures that are drawn; the others are these, made unique by a comment
PEAK_OF = "peak-of.parquet"  # the argument and the file of the process whose memory is measured


class Run(NamedTuple):
    """One run of the stage's work: seconds, and files decoded."""

    seconds: float
    decodes: int


def make(count: int, side: int) -> pd.DataFrame:
    """Write JPEGs of noise and shapes under `data/raw`, no two the same; their table."""
    paths.RAW.mkdir(parents=True)
    drawn = [_draw(number, side) for number in range(DISTINCT)]
    rows = []
    for number in range(count):
        content = unique(drawn[number % DISTINCT], number)
        image_id = hashlib.sha256(content).hexdigest()
        path = f"{image_id[:2]}/{image_id}.jpg"
        (paths.RAW / path).parent.mkdir(exist_ok=True)
        (paths.RAW / path).write_bytes(content)
        rows.append({"image_id": image_id, "path": path})
    os.sync()  # or the disk would still be writing these while the runs are timed
    return pd.DataFrame(rows)


def _draw(number: int, side: int) -> bytes:
    generator = np.random.default_rng(number)
    coarse = generator.integers(0, 255, (12, 12), np.uint8)
    picture = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    noise = generator.normal(0.0, 6.0, (side, side))
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def unique(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes."""
    comment = str(number).encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def run(images: pd.DataFrame) -> Run:
    """The stage's work over `images`, its decodes counted."""
    decodes = 0

    def counting(content: bytes, settings: PixelSettings, frame: int | None = None) -> Prepared:
        nonlocal decodes
        decodes += 1
        return prepare(content, settings, frame)

    with mock.patch.object(batching, "prepare", counting):
        begun = time.perf_counter()
        facts = pack.prepare_all(images, SETTINGS)
        receipt = pack.write(sorted(images["image_id"]), SETTINGS)
        seconds = time.perf_counter() - begun
    if facts["reason"].notna().any() or receipt["shape"][0] != len(images):
        sys.exit("a picture made for this could not be read back")
    return Run(seconds, decodes)


def peak(count: int) -> float:
    """MB that a fresh process holds at most while it prepares `count` small images."""
    here = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-m", "benchmarks.increment", PEAK_OF]
    with fresh_folder():
        make(count, SMALL_SIDE).to_parquet(PEAK_OF)
        environment = os.environ | {"PYTHONPATH": here}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return float(done.stdout.split()[-1])


def _print_peak() -> None:
    images = pd.read_parquet(PEAK_OF)
    run(images.iloc[: len(images) // 2])
    run(images)  # copies from the earlier pack as well
    print(_high_water() / 1024)


def _high_water() -> int:
    """Kilobytes held at most, of `/proc`: `getrusage` would count the process before `exec`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure(first: int, new: int, side: int) -> tuple[Run, Run]:
    """A run over `first` images, then one over these and `new` more, in a folder of its own."""
    with fresh_folder():
        images = make(first + new, side)
        return run(images.iloc[:first]), run(images)


@contextmanager
def fresh_folder() -> Iterator[None]:
    """A workspace and state of its own, removed at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, {"MEDLOOP_STATE": f"{folder}/state"}),
        chdir(folder),
    ):
        yield


def main(arguments: Sequence[str]) -> None:
    """Measure time, decodes and memory; the result is the share of its limit that is used most."""
    if list(arguments) == [PEAK_OF]:
        _print_peak()
        return
    first, more = measure(FIRST, NEW, SIDE)
    share = more.seconds / first.seconds
    print(f"{'':34} {'seconds':>8} {'decodes':>8}")
    print(f"{f'first run, {FIRST:,} of {SIDE} px':34} {first.seconds:8.1f} {first.decodes:8,}")
    print(f"{f'{NEW} more':34} {more.seconds:8.1f} {more.decodes:8,}")
    print(f"{share:.1%} of the first run's time, at most {TIME_GOAL:.0%}", flush=True)
    few, many = peak(FEW), peak(MANY)
    print(f"peak memory: {few:.0f} MB at {FEW:,} images, {many:.0f} MB at {MANY:,}")
    print(f"{many / few:.2f} times, at most {MEMORY_GOAL}")
    exact = first.decodes == FIRST and more.decodes == NEW
    used = max(share / TIME_GOAL, many / few / MEMORY_GOAL)
    report("increment", used if exact else float("inf"), 1.0, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
