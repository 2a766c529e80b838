import errno
import os
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from worlds.training import Recorder, contents, make_views, make_world

from tasks import train
from tasks.common import manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks import files
from tasks.networks.architecture import build


@pytest.fixture
def recorder(workspace, monkeypatch):
    make_world(monkeypatch)
    recorder = Recorder()
    monkeypatch.setattr("tasks.registry.live_runs.live_run", recorder.live_run)
    make_views(monkeypatch)
    return recorder


def test_it_trains_the_head_and_nothing_else(recorder):
    train.main()
    history = pd.read_csv(paths.HEAD_HISTORY)
    assert list(history["epoch"]) == [1, 2, 3, 4]
    assert history["val_auroc"].iloc[-1] > 0.9
    assert (recorder.stages, recorder.epochs) == (["train"], [1, 2, 3, 4])
    settings = load(Params)
    untrained = build(settings.model, settings.preprocess, settings.task)
    trained = files.load(paths.HEAD_MODEL)
    for layer in untrained.layers:
        pairs = zip(layer.get_weights(), trained.get_layer(layer.name).get_weights(), strict=True)
        if layer.name != "logits":
            assert all(np.array_equal(a, b) for a, b in pairs)
        else:
            assert not any(np.array_equal(a, b) for a, b in pairs)


def test_its_outs_repeat_with_and_without_what_is_stored(recorder, capsys):
    train.main()
    first = contents(paths.HEAD_MODEL, paths.HEAD_HISTORY)
    capsys.readouterr()
    train.main()
    assert "stored activations found" in capsys.readouterr().out
    assert contents(paths.HEAD_MODEL, paths.HEAD_HISTORY) == first
    shutil.rmtree(paths.state())
    train.main()
    assert contents(paths.HEAD_MODEL, paths.HEAD_HISTORY) == first


def test_a_class_without_training_images_is_named(recorder, capsys):
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    table.loc[table["split"] == "train", "label"] = "no_nodule"
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    with pytest.raises(SystemExit):
        train.main()
    assert "no training image shows 'nodule'" in capsys.readouterr().err


def test_a_training_that_learns_nothing_ends_with_the_likely_causes(recorder, capsys):
    """Val labels that contradict those of train."""
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    swapped = table["label"].map({"nodule": "no_nodule", "no_nodule": "nodule"})
    table["label"] = table["label"].where(table["split"] != "val", swapped)
    manifest.write(table, paths.MANIFEST, manifest.MANIFEST)
    with pytest.raises(SystemExit):
        train.main()
    said = capsys.readouterr().err
    assert "Nothing was learnt" in said
    assert "labels that do not go with the images" in said
    assert "train.learning_rate: 0.01" in said
    assert not paths.HEAD_MODEL.exists()


def test_a_disk_that_takes_no_model_costs_no_training(recorder, capsys, monkeypatch):
    def full(self, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", full)
        with pytest.raises(SystemExit):
            train.main()
    assert "No space left on device" in capsys.readouterr().err
    trained = list(recorder.epochs)
    train.main()
    assert recorder.epochs == trained, "an epoch was trained again"
    assert paths.HEAD_MODEL.exists()
