"""The stages of training where `train.start` names a version."""

import shutil

import numpy as np
import pandas as pd
import pytest
from worlds.project import ROOT
from worlds.start import put
from worlds.training import Recorder, make_world

from tasks import augment, fine_tune, train
from tasks.common import digests, editing, manifest, paths
from tasks.common.documents import read_json
from tasks.common.errors import LeakError, ParameterError, TrainingError, WeightsError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import data, files, scoring
from tasks.networks.architecture import build

TESTED = 12  # images of val that are test here


def enter(patch):
    make_world(patch, **{"train.epochs": 1})  # which leaves something to learn
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    table.loc[table.index[-TESTED:], "split"] = "test"
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    patch.setattr("tasks.registry.live_runs.live_run", Recorder().live_run)


def trained():
    train.main()
    fine_tune.main()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A folder after a fresh training, whose model lies in `data/start` too, as version 3."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(ROOT / paths.PARAMS, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MEDLOOP_STATE", raising=False)
        enter(patch)
        augment.main()
        trained()
        put(paths.MODEL, version=3)
    return folder


@pytest.fixture
def start(workspace, monkeypatch, fresh):
    """The same as a workspace of the test's own, in which training starts from the version."""
    shutil.copytree(fresh, workspace, dirs_exist_ok=True)
    enter(monkeypatch)
    editing.set_values(paths.PARAMS, {"train.start": 3})


def scored(path):
    return scoring.score(files.load(path), data.held_out()[1])


@pytest.mark.slow
def test_training_goes_on_from_the_version_and_stands_beside_a_fresh_one(start):
    before = pd.read_csv(paths.HEAD_HISTORY)["val_loss"]
    fresh, begun = scored(paths.MODEL), files.load(paths.START_MODEL)
    trained()
    assert pd.read_csv(paths.HEAD_HISTORY)["val_loss"].iloc[0] < before.iloc[0]
    head = files.load(paths.HEAD_MODEL)
    for layer in begun.layers:
        if layer.name != "logits":
            pairs = zip(layer.get_weights(), head.get_layer(layer.name).get_weights(), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs), layer.name
    said = read_json(paths.TRAINING)
    assert said["start"] == {
        **{"model_name": "medloop", "version": 3},
        "digest": digests.of_model(paths.START_MODEL),
    }
    beside = pd.read_parquet(paths.BESIDE)
    for name in ("start", "fresh"):  # of the same images and settings: the model of before
        found = beside.loc[beside["network"] == name, "score_0"].to_numpy()
        np.testing.assert_array_equal(found, fresh[:, 0], err_msg=name)


@pytest.mark.slow
def test_a_start_that_is_not_lowered_stays_and_is_told(start, capsys):
    # Steps too small to change a bit.
    rates = {"train.learning_rate": 1e-15, "fine_tune.learning_rate": 1e-15}
    editing.set_values(paths.PARAMS, rates | {"train.epochs": 1, "fine_tune.epochs": 1})
    trained()
    told = capsys.readouterr().out
    assert "the weights that training started from stay" in told
    assert "Kept: start, epoch 0" in told
    said = read_json(paths.TRAINING)
    assert (said["kept"], said["best_epoch"]) == ("start", 0)
    np.testing.assert_array_equal(scored(paths.MODEL), scored(paths.START_MODEL))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A network that has learnt nothing yet, but for its head."""
    path = tmp_path_factory.mktemp("begun") / "model.keras"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        shutil.copy(ROOT / paths.PARAMS, path.parent)
        make_world(patch)
        settings = load(Params)
        untrained = settings.model.model_copy(update={"weights": "none"})
        model = build(untrained, settings.preprocess, settings.task)
        model.get_layer("logits").bias.assign([7.0])
        files.save(model, path)
    return path


@pytest.fixture
def named(workspace, monkeypatch, begun):
    """A workspace in which training starts from that, version 3."""
    enter(monkeypatch)
    editing.set_values(paths.PARAMS, {"train.start": 3})
    put(begun, version=3)
    return begun


def begin(**settings):
    editing.set_values(paths.PARAMS, {name.replace("__", "."): v for name, v in settings.items()})
    return train.begin(load(train.Settings))


def test_it_begins_with_all_that_the_version_has_learnt(named):
    """Other dropout is no other network; what model.weights names is not fetched."""
    network = begin(model__dropout=0.5, model__weights="nowhere.h5")
    for ours, theirs in zip(network.weights, files.load(named).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert network.get_layer("dropout").rate == 0.5


def test_what_does_not_suit_is_refused(named):
    with pytest.raises(TrainingError, match=r"what train.start names \(4\).*received: medloop ver"):
        begin(train__start=4)
    begin(train__start="champion")
    with pytest.raises(ParameterError, match="'color': 'rgb'"):
        begin(preprocess__color="rgb")


def test_a_start_that_has_learnt_from_val_or_test_is_refused(named):
    table = manifest.read_manifest()
    ids = {side: list(rows["image_id"]) for side, rows in table.groupby("split")}
    put(named, version=3, train=ids["train"], val=ids["val"])
    begin()
    put(named, version=3, train=[*ids["train"], *ids["val"][:2]], val=ids["test"][:3])
    told = "2 that were its train are val and 3 that were its val are test now"
    with pytest.raises(LeakError, match=told):
        begin()


def test_another_network_under_the_same_name_is_refused(named):
    put(named, version=3, backbone="MobileNetV2")
    with pytest.raises(WeightsError, match="a start that is the network MobileNetV2"):
        begin(model__backbone="MobileNetV2")


def test_a_damaged_start_or_none_is_refused(named):
    paths.START_MODEL.write_bytes(paths.START_MODEL.read_bytes()[:-99])
    with pytest.raises(TrainingError, match="received: damaged files"):
        begin()
    shutil.rmtree(paths.START)
    with pytest.raises(TrainingError, match=r"received: nothing. `python -m tasks.start`"):
        begin()
