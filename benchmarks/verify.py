"""Holding stored images and activations to their digests: seconds per GB.

    python -m benchmarks.verify [--gigabytes 1]

The goal is absolute, and holds for the slower of the two: a pack of grey images of 224 pixels, and
activations of one pass. The reference reads the same file through, `numpy.load` memory-mapped and
its sum. Each is measured in turn, the best of three counts. Files are in the page cache, so this is
the work of the processor; a disk adds its own time, and what is read then is read once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from blake3 import blake3

from benchmarks.result import report
from tasks.imaging import verification
from tasks.networks.pass_files import PassFiles, size_of

GOAL = 1.0  # seconds per GB
SIDE, FEATURES = 224, 1280
ROUNDS = 3


def make_pixels(file: Path, size: float) -> list[str]:
    """Write a file of noise of about `size` bytes; the digests of its images."""
    count = max(int(size) // SIDE**2, 1)
    images = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 1), np.uint8)
    np.save(file, images)
    return [blake3(image.data).hexdigest() for image in images]


def make_activations(size: float) -> PassFiles:
    """Store the activations of one pass, of about `size` bytes."""
    rows = max(int(size) // size_of((1, FEATURES)), 1)
    files = PassFiles("verify", {"features": (rows, FEATURES)})
    files.folder.mkdir(parents=True)
    files.begin(spare=0)
    generator = np.random.default_rng(0)
    files.write(slice(0, rows), [generator.random((rows, FEATURES), np.float32).astype(np.float16)])
    files.finish()
    return files


def best(look: Callable[[], object], file: Path) -> tuple[float, float]:
    """Seconds per GB of looking at a file, and of the reference, measured in turn."""
    looked, read = [], []
    for _ in range(ROUNDS):
        looked.append(_seconds(look))
        read.append(_seconds(lambda: np.load(file, mmap_mode="r").view(np.uint8).sum()))
    gigabytes = file.stat().st_size / 1e9
    return min(looked) / gigabytes, min(read) / gigabytes


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of each file")
    size = parser.parse_args().gigabytes * 1e9
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEDLOOP_STATE"] = folder
        pixels = Path(folder) / "pixels.npy"
        digests = make_pixels(pixels, size)

        def look() -> None:
            os.utime(pixels)  # else it would not be looked at again
            assert not len(verification.damaged_rows(pixels, digests))

        found["pack"] = best(look, pixels)
        pixels.unlink()
        files = make_activations(size)
        (stored,) = files.folder.glob("*.npy")
        found["activations"] = best(lambda: files.find() or 1 / 0, stored)
    print(f"{'s per GB':14} {'verify':>8} {'load and sum':>14}")
    for name, (verified, read) in found.items():
        print(f"{name:14} {verified:8.2f} {read:14.2f}")
    report("verify", max(verified for verified, _ in found.values()), GOAL, at_most=True)


if __name__ == "__main__":
    main()
