"""What a threshold that val has chosen loses, beside that of the images' own Youden index.

    python -m benchmarks.youden [--draws 200]

Val is drawn again and again, of a few sizes and shares of positives, from several kinds of scores.
The loss is the highest Youden index that any threshold has for all that could be drawn, less that
of the chosen one. By the network they are even at 0.5, which for most is right or nearly so, and
for two kinds a logit off. The reference is the threshold with the highest index on the images of
val. The figure is the ratio of both mean losses, the largest of all rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from scipy.special import expit

from benchmarks.result import report
from tasks.statistics import Array
from tasks.statistics.youden import threshold

GOAL, ALL = 1.0, 200_000
EVEN = 0.5  # of a network trained with class weights
VALS = ((40, 0.5), (150, 0.5), (150, 0.15), (600, 0.3))  # images and share of positives
Draw = Callable[[Generator, int], Array]
# Logits of images with the finding, and without.
KINDS: dict[str, tuple[Draw, Draw]] = {
    "equally wide": (lambda g, n: g.normal(1.5, 1.2, n), lambda g, n: g.normal(-1.5, 1.2, n)),
    "unequally wide": (lambda g, n: g.normal(2.0, 2.0, n), lambda g, n: g.normal(-1.5, 0.8, n)),
    "skewed": (
        lambda g, n: 2.5 - g.gamma(1.2, 1.6, n),
        lambda g, n: -2.5 + g.gamma(1.5, 0.8, n),
    ),
    "one in seven unseen": (
        lambda g, n: g.normal(np.where(g.random(n) < 0.15, -2.0, 3.0), 1.0),
        lambda g, n: g.normal(-2.0, 1.0, n),
    ),
    "hardly apart": (lambda g, n: g.normal(0.4, 1.0, n), lambda g, n: g.normal(-0.4, 1.0, n)),
    "apart, a logit off": (lambda g, n: g.normal(2.5, 1.2, n), lambda g, n: g.normal(-0.5, 1.2, n)),
    "hardly, a logit off": (lambda g, n: g.normal(1.4, 1.0, n), lambda g, n: g.normal(0.6, 1.0, n)),
}


def of_images(targets: Array, scores: Array) -> float:
    """The reference: the score with the highest index on the images themselves, halfway to the one
    below.
    """
    ordered, there = np.sort(scores), targets > 0
    ill, healthy = np.sort(scores[there]), np.sort(scores[~there])
    missed, found = (np.searchsorted(side, ordered) / len(side) for side in (ill, healthy))
    best = int(np.argmax(found - missed))
    return float(ordered[max(best - 1, 0) : best + 1].mean())


def index(chosen: float, ill: Array, healthy: Array) -> float:
    """Youden's, for scores of many images."""
    return float((ill >= chosen).mean() + (healthy < chosen).mean() - 1)


def losses(kind: str, images: int, share: float, draws: int) -> tuple[float, float]:
    """The mean losses of the threshold and of the reference."""
    random, (of_ill, of_healthy) = np.random.default_rng(0), KINDS[kind]
    ill, healthy = (expit(side(random, ALL)) for side in (of_ill, of_healthy))
    highest = max(index(at, ill, healthy) for at in expit(np.linspace(-5, 5, 400)))
    targets = (np.arange(images) < round(share * images)).astype(float)
    lost = []
    for _ in range(draws):
        logits = np.where(targets > 0, of_ill(random, images), of_healthy(random, images))
        chosen = threshold(targets, expit(logits), EVEN), of_images(targets, expit(logits))
        lost.append([highest - index(at, ill, healthy) for at in chosen])
    ours, steps = np.mean(lost, axis=0).tolist()
    return ours, steps


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.youden")
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args(arguments).draws
    print(f"{'scores':22} {'val':>5} {'with':>5} {'loss':>7} {'steps':>7} {'ratio':>6}")
    ratios = []
    for kind in KINDS:
        for images, share in VALS:
            ours, steps = losses(kind, images, share, draws)
            ratios.append(ours / steps)
            told = f"{ours:7.4f} {steps:7.4f} {ratios[-1]:6.2f}"
            print(f"{kind:22} {images:5} {share:5.0%} {told}", flush=True)
    report("youden", max(ratios), GOAL, at_most=True)


if __name__ == "__main__":
    main(sys.argv[1:])
