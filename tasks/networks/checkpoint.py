"""Epoch checkpoints: a fit that was killed goes on as if it had not been.

Everything that the next epoch depends on is kept: weights, the optimiser's moments, the state of
dropout, and the history, from which patience follows. The order of the images needs no state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tasks.common import documents
from tasks.common.errors import TrainingError
from tasks.common.paths import StateEntry
from tasks.networks import device
from tasks.networks.keyed_files import make_room

METRICS = (
    *("loss", "accuracy", "auroc"),
    *("val_loss", "val_accuracy", "val_auroc", "val_calibrated_loss"),
)
KEPT = 4  # checkpoints of abandoned fits
Weights = list[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """Metrics of each epoch so far, and the weights of the best one."""

    history: list[dict[str, float]]
    best: Weights


class Checkpoint:
    """The checkpoint of one fit, in the state folder under the fit's key; one that is not `kept`
    holds nothing.
    """

    def __init__(self, key: str, kept: bool = True) -> None:
        self._path, self._kept = StateEntry.CHECKPOINTS.path / f"{key}.npz", kept

    def load(self, model: keras.Model) -> State:
        """Put the last full epoch's state into a compiled `model`, and return it; the beginning if
        there is none. Where several machines train, that of the first one holds.
        """
        found = self._load(model) if self._kept else None
        state = found or State([], model.get_weights())
        return _of_first(model, state)

    def _load(self, model: keras.Model) -> State | None:
        stored = self._read(model)
        if stored is None:
            return None
        history = json.loads(str(stored["history"]))
        for i, variable in enumerate(_variables(model)):
            variable.assign(stored[f"variable_{i}"])
        print(f"Going on after epoch {len(history)}", flush=True)
        return State(history, [stored[f"best_{i}"] for i in range(len(model.weights))])

    def _read(self, model: keras.Model) -> dict[str, NDArray[Any]] | None:
        """All that is stored; None where nothing is, or where it is damaged: then training begins
        anew, with the same result.

        Raises:
            TrainingError: it may not be read.
        """
        try:
            with self._path.open("rb") as file, np.load(file) as stored:
                found = dict(stored)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise TrainingError(
                f"required: the checkpoint {self._path}; received: {error.strerror}. Fix its "
                "rights, or delete it to train from the beginning"
            ) from error
        except Exception:  # damage shows in many ways
            found = {}
        if {"history", *_names(model)} <= set(found):
            return found
        print(f"{self._path} is damaged; training begins anew", flush=True)
        return None

    def save(self, model: keras.Model, state: State) -> None:
        """Store the state after an epoch; a kill leaves the one before it whole.

        Raises:
            TrainingError: the disk is full or cannot be written; the one before it stays.
        """
        if device.machine() > 0 or not self._kept:
            return
        arrays: dict[str, Any] = {f"variable_{i}": v for i, v in enumerate(_values(model))}
        arrays |= {f"best_{i}": weight for i, weight in enumerate(state.best)}

        def write(draft: Path) -> None:
            with draft.open("wb") as file:  # given a name, numpy would add to it
                np.savez(file, history=json.dumps(state.history), **arrays)

        try:
            documents.replace(self._path, write)
        except OSError as error:
            raise self._not_written(error, arrays, len(state.history)) from error

    def _not_written(
        self, error: OSError, arrays: dict[str, NDArray[Any]], epoch: int
    ) -> TrainingError:
        size = sum(array.nbytes for array in arrays.values()) / 1e6
        after = f"after epoch {epoch - 1}" if epoch > 1 else "from the beginning"
        return TrainingError(
            f"required: {size:.1f} MB in {self._path.parent} for the checkpoint of epoch {epoch}; "
            f"received: {error.strerror or error}. Free space or fix the rights there, or point "
            f"MEDLOOP_STATE at another disk and copy the folder; run again, and training goes on "
            f"{after}"
        )

    def remove(self) -> None:
        """What was trained is written elsewhere; those of fits that never were go in time."""
        self._path.unlink(missing_ok=True)
        make_room(self._path.parent, KEPT)


def _of_first(model: keras.Model, state: State) -> State:
    together = device.replicas()
    if together is None or device.machines() == 1:
        return state
    (count,) = together.of_first([np.array([len(state.history)])])
    if count[0] == 0:  # strategies copy a new network's variables themselves
        return State([], model.get_weights())
    table = np.zeros((int(count[0]), len(METRICS)))
    for row, metrics in zip(table, state.history, strict=False):
        row[:] = [metrics[name] for name in METRICS]
    variables, (table, *best) = _variables(model), together.of_first([table, *state.best])
    for variable, value in zip(variables, together.of_first(_values(model)), strict=True):
        variable.assign(value)
    history = [dict(zip(METRICS, row.tolist(), strict=True)) for row in table]
    return State(history, best)


def _names(model: keras.Model) -> list[str]:
    variables = [f"variable_{i}" for i in range(len(_variables(model)))]
    return [*variables, *(f"best_{i}" for i in range(len(model.weights)))]


def _values(model: keras.Model) -> Weights:
    return [np.asarray(variable) for variable in _variables(model)]


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Weights, the state of random layers, and the optimiser's own."""
    return [*model.variables, *model.optimizer.variables]
