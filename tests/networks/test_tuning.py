"""A search on a tiny world: it trains as the stage does, and goes on after a kill."""

import builtins

import numpy as np
import pytest
from worlds.training import Recorder, make_world

from tasks import augment
from tasks import train as stage
from tasks.common import editing, paths
from tasks.common.errors import ParameterError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import data, history, tuning
from tasks.networks.tuning import SPACE, Search, changed


@pytest.fixture
def world(workspace, monkeypatch):
    make_world(monkeypatch, **{"train.epochs": 3, "train.patience": 3, "tune.trials": 2})
    paths.PACK.parent.mkdir(parents=True, exist_ok=True)
    paths.PACK.write_text("{}")
    augment.main()
    monkeypatch.setattr("tasks.registry.live_runs.live_run", Recorder().live_run)


def begin():
    settings = load(Params)
    return Search(settings, data.read(settings.task))


def test_a_trial_is_what_the_stage_trains_with_its_settings(world):
    found = list(begin().run())
    assert [trial.number for trial in found] == [0, 1]
    assert found[0].values == {
        "train.learning_rate": 1e-2,
        "train.label_smoothing": 0,
        "train.l2": 0,
        "model.dropout": 0.2,
    }
    for trial in found[1:]:
        assert all(
            SPACE[name].low <= value <= SPACE[name].high for name, value in trial.values.items()
        )
    best = begin().best()
    assert best == min(found, key=lambda trial: trial.metrics["val_loss"])
    editing.set_values(paths.PARAMS, best.values)
    stage.main()
    trained = history.read(paths.HEAD_HISTORY)
    assert min(epoch["val_loss"] for epoch in trained) == pytest.approx(
        best.metrics["val_loss"], rel=1e-6
    )


@pytest.fixture
def pretend(world, monkeypatch):
    """Trainings whose loss follows from the settings: the nearer to a rate of 0.02, the better."""

    def train(settings, images, on_epoch):
        rate = settings.train.learning_rate
        loss = abs(np.log(rate / 0.02))
        for epoch in range(1, 11):
            on_epoch(epoch, {"val_loss": loss})
        return {"val_loss": loss, "val_auroc": 0.5}

    monkeypatch.setattr(tuning, "train", train)
    editing.set_values(paths.PARAMS, {"tune.trials": 20})


def test_it_finds_what_matters_and_prunes_what_does_not_help(pretend):
    search = begin()
    found = list(search.run())
    assert {trial.state for trial in found} == {"complete", "pruned"}
    assert search.best().values["train.learning_rate"] == pytest.approx(0.02, rel=0.3)
    assert max(search.importance(), key=search.importance().get) == "train.learning_rate"


def test_a_killed_search_ends_as_an_undisturbed_one(pretend, monkeypatch):
    expected = list(begin().run())
    trained, calls = tuning.train, []

    def dies(*given):
        calls.append(given)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return trained(*given)

    for file in paths.StateEntry.TUNING.path.iterdir():
        file.unlink()
    monkeypatch.setattr(tuning, "train", dies)
    with pytest.raises(KeyboardInterrupt):
        list(begin().run())
    assert len(begin().trials()) == 7
    assert [trial.number for trial in begin().run()] == [*range(7, 20)]
    assert begin().trials() == expected
    assert list(begin().run()) == []


def test_garbage_in_place_of_a_search_counts_as_nothing(pretend):
    editing.set_values(paths.PARAMS, {"tune.trials": 1})
    search = begin()
    list(search.run())
    paths.StateEntry.TUNING.path.joinpath(f"{search.key}.db").write_bytes(b"\xff" * 200)
    assert begin().trials() == []


def test_without_optuna_it_says_what_to_install(world, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest, **more):
        if name == "optuna":
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ParameterError, match="`make setup` installs it"):
        begin()


def test_settings_change_where_they_stand(world):
    settings = changed(load(Params), {"train.l2": 0.5, "model.dropout": 0.1})
    assert (settings.train.l2, settings.model.dropout) == (0.5, 0.1)
    assert settings.train.epochs == 3
