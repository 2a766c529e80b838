"""Charts of a search for settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from tasks.pictures.canvas import BLUE, FAINT, INK, drawn


def history(path: Path, losses: Sequence[float]) -> None:
    """The loss on val of each trial, and the best so far; one that did not end is not a number."""
    with drawn(path, 5.4, 3.2) as figure:
        axes = figure.subplots()
        numbers = np.arange(len(losses))
        axes.plot(numbers, losses, "o", color=BLUE, markersize=4, label="trial")
        axes.plot(numbers, np.fmin.accumulate(losses), color=INK, linewidth=1, label="best so far")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="trial; 0: params.yaml", ylabel="loss on val", title="Trials")
        axes.legend()


def importance(path: Path, shares: Mapping[str, float]) -> None:
    """How much of the variation each setting explains, the largest first."""
    with drawn(path, 5.4, 0.8 + 0.35 * len(shares)) as figure:
        axes = figure.subplots()
        names = sorted(shares, key=lambda name: shares[name])
        axes.barh(names, [shares[name] for name in names], color=BLUE, edgecolor=FAINT)
        axes.set(xlabel="share of how the loss on val varies", title="Importance", xlim=(0, 1))
