"""How often neighbouring slices of one stack are called like pictures, and how often the same one.

DATA is a folder with the slices of one stack as files that sort in their order. Each slice stands
for a patient of its own, as in a set that tells no patients. Like slices fall on one side, which
is what anybody wants of them; taken for the same picture they would be quarantined where they have
two labels, so the share of neighbours for which that happens is the figure.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.result import report
from tasks.common.params.pixels import PixelSettings
from tasks.imaging.description import describe
from tasks.imaging.preparation import prepare
from tasks.splitting import duplicates

GOAL = 0.05
GAPS = range(1, 6)
SETTINGS = PixelSettings(size=[224, 224], color="grey", window=None)


def measure(files: Sequence[Path]) -> pd.DataFrame:
    """By how many slices two are apart, the share of such pairs that are `like`, and the `same`."""
    pixels = np.stack([prepare(file.read_bytes(), SETTINGS).pixels for file in files])
    names = [f"{number:06}" for number in range(len(files))]
    known = {"image_id": names, "group": names, "row": range(len(files)), "batch": 0, "label": ""}
    known |= {"height": pixels.shape[1], "width": pixels.shape[2]}
    table = pd.DataFrame(known).assign(**describe(pixels, pixels))
    pairs = duplicates.find(table, pixels, SETTINGS.fit)
    gap = pairs["second"] - pairs["first"]
    shares = [
        {"like": (gap == distance).sum(), "same": (gap[pairs["same"]] == distance).sum()}
        for distance in GAPS
    ]
    possible = [max(len(files) - distance, 1) for distance in GAPS]
    return pd.DataFrame(shares, index=list(GAPS)).div(possible, axis=0)


def main(arguments: Sequence[str]) -> None:
    """Print the shares and the result."""
    folder = Path(arguments[0]) if len(arguments) == 1 else None
    files = sorted(file for file in folder.iterdir() if file.is_file()) if folder else []
    if len(files) < 2:
        sys.exit("usage: python -m benchmarks.slices DATA, a folder of the slices of one stack")
    shares = measure(files)
    print(f"{len(files)} slices\n{'apart':>8} {'like':>8} {'same':>8}")
    for gap, like, same in shares.itertuples():
        print(f"{gap:>8} {like:>8.1%} {same:>8.1%}")
    report("slices", float(shares["same"].iloc[0]), GOAL, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
