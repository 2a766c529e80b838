"""The stage preprocess against the bare loop that it cannot do without.

The reference reads, decodes in full, resizes and writes to a memory-mapped array, and nothing else:
no checks, no facts, no digests. It runs in as many processes as the machine has cores, started and
warm before the clock runs. The stage runs as it is: `prepare_all` and `write` into a fresh state.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from benchmarks.result import report
from tasks.common import paths
from tasks.common.params.pixels import PixelSettings
from tasks.imaging import batching, pack
from tasks.imaging.decoding import AS_STORED
from tasks.imaging.levels import Pixels

TURNS = 9
SETTINGS = PixelSettings(size=[224, 224], color="grey", window=None)


class Claim(NamedTuple):
    """Pictures to prepare, and how much of the reference's speed the stage must reach."""

    name: str
    images: int
    height: int
    width: int
    suffixes: tuple[str, ...]
    goal: float


CLAIMS = (
    Claim("JPEG and PNG of 1024 x 1024", 400, 1024, 1024, (".jpg", ".png"), 0.8),
    Claim("JPEG of 224 x 224", 4000, 224, 224, (".jpg",), 0.6),
    Claim("JPEG of 3000 x 2500", 200, 2500, 3000, (".jpg",), 1.5),
)


class Measured(NamedTuple):
    """Images per second: medians of several turns."""

    stage: float
    bare: float

    @property
    def ratio(self) -> float:
        """The stage's speed over the reference's."""
        return self.stage / self.bare


def pictures(data: Path) -> list[Path]:
    """The pictures under `data`.

    Raises:
        SystemExit: there are none.
    """
    found = sorted(p for p in data.rglob("*") if p.suffix in {".jpg", ".jpeg", ".png"})
    if not found:
        sys.exit(f"required: a folder of JPEG or PNG pictures; received: {data}")
    return found


def make(claim: Claim, sources: Sequence[Path]) -> pd.DataFrame:
    """Write the claim's pictures under `data/raw`, drawn from all over `sources`; their table."""
    rows = []
    for number in range(claim.images):
        source = sources[number * len(sources) // claim.images]
        picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            sys.exit(f"{source} cannot be read")
        size = (claim.width, claim.height)
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        image_id = hashlib.sha256(f"{claim.name} {number}".encode()).hexdigest()
        name = image_id + claim.suffixes[number % len(claim.suffixes)]
        cv2.imwrite(str(paths.RAW / name), scaled)
        rows.append({"image_id": image_id, "path": name})
    return pd.DataFrame(rows).sort_values("image_id", ignore_index=True)


def measure(images: pd.DataFrame, settings: PixelSettings, pool: ProcessPoolExecutor) -> Measured:
    """Time the stage and the reference in turn, over the same files in the same order."""
    ours, bare = [], []
    files = [str((paths.RAW / name).resolve()) for name in images["path"]]
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(_seconds(partial(stage, images, settings, Path(folder))))
            out = Path(folder) / "bare.npy"
            bare.append(_seconds(partial(_bare, pool, files, settings, out)))
    return Measured(len(files) / statistics.median(ours), len(files) / statistics.median(bare))


@contextmanager
def bare_processes() -> Iterator[ProcessPoolExecutor]:
    """As many processes as cores, each started and warm."""
    cores = batching.cores()
    with ProcessPoolExecutor(cores, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        list(pool.map(time.sleep, [0.5] * cores))
        yield pool


def _seconds(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def stage(images: pd.DataFrame, settings: PixelSettings, state: Path) -> None:
    """The stage's work into a state folder of its own."""
    os.environ["MEDLOOP_STATE"] = str(state)
    facts = pack.prepare_all(images, settings)
    if facts["reason"].notna().any():
        sys.exit("a picture made for this could not be read back")
    pack.write(images["image_id"].tolist(), settings)


def _bare(pool: ProcessPoolExecutor, files: list[str], settings: PixelSettings, out: Path) -> None:
    np.lib.format.open_memmap(out, "w+", np.uint8, (len(files), *settings.size, 1))
    cores = batching.cores()
    list(pool.map(partial(loop, files, out, settings.size, cores), range(cores)))


def loop(files: list[str], out: Path, size: list[int], step: int, first: int) -> None:
    """The reference: every `step`-th picture from `first` on."""
    height, width = size
    pixels: Pixels = np.lib.format.open_memmap(out, "r+")
    for row in range(first, len(files), step):
        content = np.frombuffer(Path(files[row]).read_bytes(), np.uint8)
        image = cv2.imdecode(content, AS_STORED)
        pixels[row, ..., 0] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def main(arguments: Sequence[str]) -> None:
    """Measure every claim; the result is the smallest share of its goal that one reaches."""
    if len(arguments) != 1:
        sys.exit("usage: python -m benchmarks.preprocess DATA (a folder of pictures)")
    sources = pictures(Path(arguments[0]).resolve())
    shares = []
    print(f"{'images per second':30} {'stage':>8} {'bare':>8} {'ratio':>6} {'goal':>6}")
    with bare_processes() as pool:
        for claim in CLAIMS:
            with tempfile.TemporaryDirectory() as folder, chdir(folder):
                paths.RAW.mkdir(parents=True)
                found = measure(make(claim, sources), SETTINGS, pool)
            shares.append(found.ratio / claim.goal)
            line = f"{claim.name:30} {found.stage:8.0f} {found.bare:8.0f} {found.ratio:6.2f}"
            print(f"{line} {claim.goal:6.2f}", flush=True)
    print("stage: prepare_all and write; bare: read, decode, resize, write to a memory map")
    report("preprocess", min(shares), 1.0)


if __name__ == "__main__":
    main(sys.argv[1:])
