import shutil

import numpy as np
import pandas as pd
import pytest
from worlds.project import ROOT
from worlds.training import Recorder, contents, make_views, make_world

from tasks import fine_tune, train
from tasks.common import digests, editing, paths
from tasks.common.documents import read_json
from tasks.networks import files

SHORT = {"train.epochs": 1}  # a head that fine-tuning can still better


@pytest.fixture(scope="module")
def after_train(tmp_path_factory):
    """A folder with what the stages before have made, their state included."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(ROOT / paths.PARAMS, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MEDLOOP_STATE", raising=False)
        make_world(patch, **SHORT)
        patch.setattr("tasks.registry.live_runs.live_run", Recorder().live_run)
        make_views(patch)
        train.main()
    return folder


@pytest.fixture
def recorder(workspace, monkeypatch, after_train):
    shutil.copytree(after_train, workspace, dirs_exist_ok=True)
    make_world(monkeypatch, **SHORT)
    recorder = Recorder()
    monkeypatch.setattr("tasks.registry.live_runs.live_run", recorder.live_run)
    return recorder


def changed_layers():
    """The layers in which the kept model differs from the head phase's."""
    before, after = files.load(paths.HEAD_MODEL), files.load(paths.MODEL)
    return {
        layer.name
        for layer in before.layers
        if not all(
            np.array_equal(a, b)
            for a, b in zip(
                layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True
            )
        )
    }


def test_it_trains_on_from_the_default_cut(recorder, capsys):
    fine_tune.main()
    said = read_json(paths.TRAINING)
    history = pd.read_csv(paths.HISTORY)
    assert recorder.stages == ["fine_tune"]
    assert said["kept"] == "fine_tune"
    assert said["backend"] == "tensorflow"
    assert said["cut_layer"] == "block6_expand_conv"
    best = history.loc[said["best_epoch"] - 1]
    least = history["val_calibrated_loss"].min()
    assert best["val_calibrated_loss"] == least < said["val_calibrated_loss"]["head"]
    changed = changed_layers()
    assert {"block6_expand_conv", "block15_project_conv", "top_conv", "logits"} <= changed
    assert not any(name.endswith("_bn") for name in changed)
    assert not any(name.startswith(("stem", "block5_", "block2_")) for name in changed)
    # The head phase's pass has stored what arrives at the cut.
    assert capsys.readouterr().out.count("stored activations found") == 2


def test_its_outs_repeat_with_and_without_what_is_stored(recorder):
    outs = (paths.MODEL, paths.HISTORY, paths.TRAINING)
    fine_tune.main()
    first = contents(*outs)
    shutil.rmtree(paths.state())
    fine_tune.main()
    assert contents(*outs) == first


def test_without_epochs_the_head_phase_is_kept(recorder):
    editing.set_values(paths.PARAMS, {"fine_tune.epochs": 0})
    fine_tune.main()
    said, head = read_json(paths.TRAINING), pd.read_csv(paths.HEAD_HISTORY)
    assert said["kept"] == "head"
    assert said["best_epoch"] == head["val_calibrated_loss"].argmin() + 1
    assert digests.of_model(paths.MODEL) == digests.of_model(paths.HEAD_MODEL)
    assert len(pd.read_csv(paths.HISTORY)) == 0


def test_a_phase_that_makes_it_worse_is_not_kept(recorder, capsys):
    editing.set_values(paths.PARAMS, {"fine_tune.learning_rate": 1.0})
    fine_tune.main()
    assert "did not lower the calibrated loss on val" in capsys.readouterr().out
    assert read_json(paths.TRAINING)["kept"] == "head"
    assert digests.of_model(paths.MODEL) == digests.of_model(paths.HEAD_MODEL)


def test_another_cut_layer_trains_less(recorder):
    editing.set_values(paths.PARAMS, {"fine_tune.cut_layer": "block15_expand_conv"})
    fine_tune.main()
    assert read_json(paths.TRAINING)["cut_layer"] == "block15_expand_conv"
    assert not any(name.startswith("block14") for name in changed_layers())


def test_an_unknown_cut_layer_is_refused_with_the_names(recorder, capsys):
    editing.set_values(paths.PARAMS, {"fine_tune.cut_layer": "conv99"})
    with pytest.raises(SystemExit):
        fine_tune.main()
    assert "block11_expand_conv" in capsys.readouterr().err
