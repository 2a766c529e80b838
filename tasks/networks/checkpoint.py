"""Epoch checkpoints: a fit that was killed goes on as if it had not been.

Everything that the next epoch depends on is kept: weights, the optimiser's moments, the state of
dropout, and the history, from which patience follows. The order of the images needs no state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks import paths
from tasks.networks import keys

KEPT = 4  # checkpoints of abandoned fits
Weights = list[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """Metrics of each epoch so far, and the weights of the best one."""

    history: list[dict[str, float]]
    best: Weights


class Checkpoint:
    """The checkpoint of one fit, in the state folder under the fit's key."""

    def __init__(self, key: str) -> None:
        self._path = paths.state() / "checkpoints" / f"{key}.npz"

    def load(self, model: keras.Model) -> State | None:
        """Put the last full epoch's state into a compiled `model`; None if there is none."""
        if not self._path.exists():
            return None
        with np.load(self._path) as stored:
            history = json.loads(str(stored["history"]))
            for i, variable in enumerate(_variables(model)):
                variable.assign(stored[f"variable_{i}"])
            best = [stored[f"best_{i}"] for i in range(len(model.weights))]
        print(f"Going on after epoch {len(history)}", flush=True)
        return State(history, best)

    def save(self, model: keras.Model, state: State) -> None:
        """Store the state after an epoch; a kill leaves the one before it whole."""
        arrays: dict[str, Any] = {
            f"variable_{i}": np.asarray(v) for i, v in enumerate(_variables(model))
        }
        arrays |= {f"best_{i}": weight for i, weight in enumerate(state.best)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            np.savez(file, history=json.dumps(state.history), **arrays)
        draft.replace(self._path)

    def remove(self) -> None:
        """The fit is done; those of fits that never were go in time."""
        self._path.unlink(missing_ok=True)
        keys.make_room(self._path.parent, KEPT)


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Weights, the state of random layers, and the optimiser's own."""
    return [*model.variables, *model.optimizer.variables]
