"""A search: its trials train as the stages do, and it goes on after a kill."""

import builtins
import multiprocessing
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from unittest import mock

import numpy as np
import psutil
import pytest
from worlds.project import ROOT
from worlds.training import Recorder, make_world, read_world

from tasks import augment, fine_tune, train
from tasks.common import editing, paths
from tasks.common.errors import ParameterError, TrainingError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import data, device, history, layers, search_space, trials, tuning, workers
from tasks.networks.search_space import changed
from tasks.networks.trials import Bench
from tasks.networks.tuning import Search

HERE = "fine_tune.learning_rate", "fine_tune.cut_layer", "model.dropout", "augment.views"


def test_a_trial_is_what_the_stages_train_with_its_settings(workspace, monkeypatch):
    """The one before has another network, and no dropout, with which Keras draws other seeds."""
    make_world(monkeypatch, **{"train.epochs": 2, "tune.search": list(HERE)})
    monkeypatch.setattr("tasks.registry.live_runs.live_run", Recorder().live_run)
    augment.main()
    settings = load(Params)
    bench = Bench(settings, data.read(settings.task))
    one = dict(zip(HERE, (1e-3, "block10_expand_conv", 0.0, 2), strict=True))
    other = one | {"model.dropout": 0.5, "augment.preset": "radiograph", "augment.views": 1}
    other |= {"train.schedule": "cosine", "train.batch_normalisation": True, "model.pool": "stages"}
    bench.train(one, lambda *_: None)
    losses = []
    found = bench.train(other, lambda _, metrics: losses.append(metrics["val_calibrated_loss"]))
    assert not list(paths.StateEntry.CHECKPOINTS.path.glob("*"))

    editing.set_values(paths.PARAMS, other)
    for stage in (augment, train, fine_tune):
        stage.main()
    tuned, head = history.read(paths.HISTORY), history.read(paths.HEAD_HISTORY)
    assert [epoch["val_calibrated_loss"] for epoch in tuned] == pytest.approx(losses, rel=1e-6)
    lowest = min(epoch["val_calibrated_loss"] for epoch in [*head, *tuned])
    assert found["val_calibrated_loss"] == pytest.approx(lowest, rel=1e-6)


class Pretended(Bench):
    """Trainings whose loss follows from the settings: the nearer to a rate of 0.02, the better."""

    calls = 0
    dies_at = None

    def __init__(self, settings, images):
        self.settings = settings

    def train(self, values, on_epoch):
        Pretended.calls += 1
        if Pretended.calls == Pretended.dies_at:
            raise KeyboardInterrupt
        rate = changed(self.settings, values).train.learning_rate
        if rate > 0.09:
            raise TrainingError("required: a finite loss; received: nan")
        loss = float(abs(np.log(rate / 0.02)))
        for epoch in range(1, 11):
            on_epoch(epoch, {"val_calibrated_loss": loss})
        return {"val_calibrated_loss": loss, "val_auroc": 0.5}


@contextmanager
def late_first(settings, read):
    """Workers the last of which is the first to end."""
    bench = Pretended(settings, read())
    yield lambda tasks: map(bench.run, reversed(tasks))


@pytest.fixture
def pretend(workspace, monkeypatch):
    for file in (paths.MANIFEST, paths.PACK):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.setattr(workers, "Bench", Pretended)
    monkeypatch.setattr(Pretended, "calls", 0)

    def begin(**values):
        editing.set_values(paths.PARAMS, {f"tune.{key}": value for key, value in values.items()})
        return Search(load(Params), lambda: None)

    return begin


def test_it_finds_what_matters_and_prunes_what_does_not_help(pretend):
    search = pretend()
    found = list(search.run())
    assert [trial.number for trial in found] == [*range(20)]
    assert found[0].values == {
        "train.learning_rate": 5e-3,
        "train.label_smoothing": 0,
        "train.l2": 0,
        "model.dropout": 0.2,
    }
    assert {trial.state for trial in found} == {"complete", "pruned"}
    assert search.best().values["train.learning_rate"] == pytest.approx(0.02, rel=0.3)
    assert max(search.importance(), key=search.importance().get) == "train.learning_rate"


KINDS = (
    "augment.preset",
    "augment.views",
    "train.schedule",
    "train.batch_size",
    "train.batch_normalisation",
    "train.learning_rate",
)


def test_it_searches_among_kinds_too(pretend):
    search = pretend(search=list(KINDS))
    found = list(search.run())
    first = dict(zip(KINDS, ("radiograph", 1, None, 128, False, 5e-3), strict=True))
    assert found[0].values == first
    for name, choices in search_space.SPACE.items():
        if name in KINDS[:-1]:
            assert {trial.values[name] for trial in found} <= set(choices)
            assert len({trial.values[name] for trial in found}) > 1
    assert set(search.importance()) == set(KINDS)
    editing.set_values(paths.PARAMS, search.best().values)


# Of a round of three that is stopped at its second trial, the last has ended, and stays.
@pytest.mark.parametrize(
    ("count", "before", "after"),
    [(1, [*range(7)], [7, 8, 9, 10]), (3, [*range(6), 8], [6, 7, 9, 10])],
)
def test_a_killed_search_ends_as_an_undisturbed_one(pretend, monkeypatch, count, before, after):
    monkeypatch.setattr(tuning, "workers", late_first)
    expected = list(pretend(workers=count, trials=11).run())
    for file in paths.StateEntry.TUNING.path.iterdir():
        file.unlink()
    monkeypatch.setattr(Pretended, "calls", 0)
    monkeypatch.setattr(Pretended, "dies_at", 8)
    with pytest.raises(KeyboardInterrupt):
        list(pretend().run())
    assert [trial.number for trial in pretend().trials()] == before
    assert [trial.number for trial in pretend().run()] == after
    assert pretend().trials() == expected
    assert list(pretend().run()) == []


def test_the_order_in_which_workers_end_changes_nothing(pretend, monkeypatch):
    with mock.patch.object(tuning, "workers", late_first):
        late = list(pretend(workers=3, trials=11).run())
    in_order = pretend(seed=30)  # another search
    assert in_order.trials() == []
    for file in paths.StateEntry.TUNING.path.iterdir():
        file.unlink()

    @contextmanager
    def first_first(settings, read):
        bench = Pretended(settings, read())
        yield lambda tasks: map(bench.run, tasks)

    monkeypatch.setattr(tuning, "workers", first_first)
    assert list(pretend(seed=29).run()) == late


def test_garbage_in_place_of_a_search_counts_as_nothing(pretend):
    search = pretend(trials=1)
    list(search.run())
    assert search.importance() == {}
    file = paths.StateEntry.TUNING.path / f"{search.key}.json"
    for garbage in (b"\xff" * 200, b"[1]", b'{"a": 1}', b'[{"number": 0}]'):
        file.write_bytes(garbage)
        assert search.trials() == []


def test_a_search_without_a_trial_that_ends_says_so(pretend):
    editing.set_values(paths.PARAMS, {"train.learning_rate": 0.095})
    search = pretend(trials=1)
    assert [trial.state for trial in search.run()] == ["fail"]
    with pytest.raises(TrainingError, match="name other settings"):
        search.best()


def test_the_cut_layers_lie_around_the_default_as_it_is_called(workspace):
    editing.set_values(paths.PARAMS, {"tune.search": ["fine_tune.cut_layer"]})

    def choices(said, pool="last"):
        editing.set_values(paths.PARAMS, {"fine_tune.cut_layer": said, "model.pool": pool})
        return search_space.distributions(load(Params))["fine_tune.cut_layer"].choices

    half = "block11_expand_conv"  # twice as many blocks there are not
    assert choices("auto") == ("auto", half)
    default = layers.default_cut("EfficientNetLite0")
    assert choices(default) == (default, half)
    assert choices("top_conv") == ("auto", half, "top_conv")
    assert choices("auto", pool="stages") == ("auto", half)
    editing.set_values(paths.PARAMS, {"tune.search": ["fine_tune.cut_layer", "model.pool"]})
    assert choices("auto") == ("auto", half)
    one = {"tune.search": ["fine_tune.cut_layer"], "model.backbone": "MobileNetV2"}
    editing.set_values(paths.PARAMS, one)
    assert choices("auto") == ("block_9_expand", "auto", "block_15_expand")


def test_what_is_not_fine_tuned_is_not_searched(pretend):
    editing.set_values(paths.PARAMS, {"fine_tune.epochs": 0})
    with pytest.raises(ParameterError, match="or leave the key out"):
        pretend(search=["fine_tune.learning_rate"])


def test_a_pool_is_searched_only_where_there_are_stages(pretend):
    editing.set_values(paths.PARAMS, {"model.backbone": "ResNet50"})
    with pytest.raises(ParameterError, match=r"EfficientNetLite0 or .*; received: ResNet50"):
        pretend(search=["model.pool"])


def test_without_optuna_it_says_what_to_install(pretend, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "optuna":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ParameterError, match="`make setup` installs it"):
        pretend()


def test_settings_change_where_they_stand(workspace):
    settings = changed(load(Params), {"train.l2": 0.5, "model.dropout": 0.1})
    assert (settings.train.l2, settings.model.dropout) == (0.5, 0.1)
    assert settings.train.epochs == load(Params).train.epochs


class Here:
    """A bench that tells where its trials ran."""

    def run(self, task):
        return ("here", task)


def test_processes_take_part_once_they_have_begun(monkeypatch):
    monkeypatch.setattr(workers, "_run", lambda task: ("elsewhere", task))
    begun, starts = multiprocessing.Value("i", 0), [Future(), Future()]
    with ThreadPoolExecutor(2) as pool:

        def shared(tasks):
            count = partial(workers._count, begun, starts)
            return sorted(workers._shared(tasks, Here(), pool, count), key=lambda ran: ran[1])

        assert [where for where, _ in shared(range(3))] == ["here"] * 3
        for start in starts:  # the first process that has begun may answer all
            start.set_result(1)
        begun.value = 1
        first, second, third = shared(range(3))
        assert (first, second) == (("elsewhere", 0), ("here", 1))
        assert third[1] == 2
        begun.value = 2
        assert shared(range(3)) == [("elsewhere", 0), ("elsewhere", 1), ("here", 2)]
        starts[1] = Future()
        starts[1].set_exception(BrokenProcessPool())
        with pytest.raises(BrokenProcessPool):
            shared(range(3))


def search_in_processes():
    """The search of the tiny world that its parameters ask for."""
    settings = load(Params)
    device.prepare(settings.train.threads, settings.train.seed)
    return Search(settings, partial(read_world, settings.task))


SCRIPT = """
import signal, time
from networks.test_tuning import search_in_processes
from tasks.networks import workers
counted = workers._count
def all_begun(begun, starts):
    while counted(begun, starts) < len(starts):
        time.sleep(0.05)
    return len(starts)
workers._count = all_begun
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
list(search_in_processes().run())
"""


@pytest.fixture
def begin_process(workspace, monkeypatch):
    make_world(monkeypatch, **{"tune.trials": 2, "tune.workers": 2})
    augment.main()
    paths.PACK.parent.mkdir(parents=True, exist_ok=True)
    paths.PACK.write_text("{}")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT}/tests")

    def begin(epochs):
        editing.set_values(paths.PARAMS, {"train.epochs": epochs, "train.patience": epochs})
        return psutil.Popen([sys.executable, "-c", SCRIPT], stderr=subprocess.DEVNULL)

    return begin


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_who_started_them(begin_process, number):
    search = begin_process(epochs=100_000)
    while not list(paths.StateEntry.PREFIX.path.glob("*.npy")):  # until then they begin
        assert search.poll() is None
        time.sleep(0.1)
    family = [search, *search.children(recursive=True)]
    assert len(family) >= 3
    search.send_signal(number)
    _, alive = psutil.wait_procs(family, timeout=60)
    for process in alive:
        process.kill()
    assert alive == []


@pytest.mark.slow
def test_processes_find_what_one_finds(begin_process):
    assert begin_process(epochs=2).wait() == 0
    # Here are other threads, which give another key and other last bits.
    (file,) = paths.StateEntry.TUNING.path.glob("*.json")
    found = tuning.Kept(file.stem).trials()
    assert [trial.number for trial in found] == [0, 1]
    bench = Bench(load(Params), read_world(load(Params).task))
    for trial in found:
        again = bench.run(trials.Task(trial.number, trial.values, []))
        assert trial.losses == pytest.approx(again.losses, rel=1e-3)
