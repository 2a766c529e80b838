"""Search settings of training with Optuna, on the same stored features.

What passes the frozen part is stored, so a trial of the head phase takes a second or two. Trials
come in rounds, one for each worker. What a trial tries, and whether it is given up, follows from
the seed and the trials of earlier rounds alone; so a search that was killed goes on as if it had
not been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tasks.common import digests, documents, paths
from tasks.common.errors import TrainingError
from tasks.networks import keyed_files, keys, search_space
from tasks.networks.search_space import Values
from tasks.networks.trials import STARTUP, Task, Trial, study
from tasks.networks.workers import Read, Run, workers

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

KEPT = 4  # searches in the state folder
SECTIONS = ("task", "model", "preprocess", "augment", "train", "fine_tune")


class Kept:
    """The trials of a search that ended, in the state folder under its key."""

    def __init__(self, key: str) -> None:
        self._path = paths.StateEntry.TUNING.path / f"{key}.json"

    def trials(self) -> list[Trial]:
        """The first one first. What cannot be understood counts as nothing."""
        try:
            return [Trial(**trial) for trial in documents.read_json(self._path)]
        except (FileNotFoundError, ValueError, TypeError, RecursionError):
            return []

    def add(self, trial: Trial) -> None:
        """Keep one more."""
        known = sorted([*self.trials(), trial])
        documents.write_json(self._path, [each._asdict() for each in known])


class Search:
    """A search in the state folder; the first trial is what params.yaml says now.

    Attributes:
        key: of all that its trials depend on.
    """

    def __init__(self, settings: Params, read: Read) -> None:
        """Find or begin it; `read` reads the data, as `workers` takes it.

        Raises:
            ParameterError: Optuna is not installed, or a setting that is searched has no effect.
        """
        search_space.require_effect(settings)
        self._settings, self._read = settings, read
        self._space, self._asked = search_space.distributions(settings), settings.tune
        no_part = {"augment": {"test_views"}}  # trials are judged without
        asked = settings.model_dump(
            include=set(SECTIONS), exclude=no_part
        ) | self._asked.model_dump(include={"search", "seed", "workers"})
        seen = [digests.of_file(file) for file in (paths.MANIFEST, paths.PACK)]
        self.key = digests.of_json([asked, seen, keys.made_with("tasks.networks.tuning")])
        self._kept = Kept(self.key)

    def trials(self) -> list[Trial]:
        """Those that ended, the first one first."""
        return self._kept.trials()

    def best(self) -> Trial:
        """The first of those with the lowest loss on val.

        Raises:
            TrainingError: none ended well.
        """
        complete = [trial for trial in self.trials() if trial.state == "complete"]
        if not complete:
            raise TrainingError(
                "required: a trial that ends; received: none. Look at what ends them above, or "
                "let tune.search name other settings"
            )
        return min(complete, key=lambda trial: trial.loss)

    def importance(self) -> dict[str, float]:
        """The share of each setting in how much the loss varies (Hutter et al. 2014, ICML); nothing
        where it does not vary.
        """
        trials = self.trials()
        if len({trial.loss for trial in trials if trial.metrics}) < 2:
            return {}
        optuna = search_space.library()
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._asked.seed)
        of_all = study(trials, self._space)
        found = optuna.importance.get_param_importances(of_all, evaluator=evaluator)
        return {str(name): float(share) for name, share in found.items()}

    def run(self) -> Iterator[Trial]:
        """Run what is missing of `tune.trials`, and give each trial as its round ends."""
        folder = paths.StateEntry.TUNING.path
        with keyed_files.alone(folder, self.key):
            known = {trial.number for trial in self.trials()}
            missing = [number for number in range(self._asked.trials) if number not in known]
            if missing:
                with workers(self._settings, self._read) as run:
                    yield from self._run(run, missing)
        keyed_files.make_room(folder, KEPT)

    def _run(self, run: Run, missing: Sequence[int]) -> Iterator[Trial]:
        count = self._asked.workers
        for first in range(0, self._asked.trials, count):
            earlier = [trial for trial in self.trials() if trial.number < first]
            numbers = [number for number in missing if first <= number < first + count]
            tasks = [Task(each, self._values(each, earlier), earlier) for each in numbers]
            ended = []
            for trial in run(tasks):
                ended.append(trial)
                self._kept.add(trial)
            yield from sorted(ended)

    def _values(self, number: int, earlier: Sequence[Trial]) -> Values:
        """What a trial tries."""
        if number == 0:
            return search_space.now(self._settings)
        made = study(earlier, self._space)
        made.sampler = search_space.library().samplers.TPESampler(
            n_startup_trials=STARTUP, seed=self._asked.seed + number
        )
        return search_space.rounded(made.ask(self._space).params, self._space)
