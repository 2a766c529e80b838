"""The last line of every benchmark, and what it says to the shell."""

from __future__ import annotations

import sys
from typing import NoReturn


def report(name: str, figure: float, goal: float, *, at_most: bool = False) -> NoReturn:
    """Print `RESULT <name> <figure> goal <goal>` and exit, 0 where the goal is met and 1 where not.

    Args:
        name: of the benchmark's module.
        figure: what was measured.
        goal: the least that `figure` may be.
        at_most: `goal` is the most that it may be.
    """
    met = figure <= goal if at_most else figure >= goal
    print(f"RESULT {name} {figure:.3g} goal {goal:g}", flush=True)
    sys.exit(0 if met else 1)
