"""The packaged model in a process that knows nothing else of the project."""

import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from worlds.project import environment
from worlds.registry import SIZE, write_lock

from tasks import explain_version
from tasks.common import editing, paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import of_split, read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.imaging.preparation import prepare
from tasks.networks import files
from tasks.publish import publish
from tasks.registry import ledger, model_versions, scoring
from tasks.registry.gate import gate
from tasks.registry.registration import register

CLIENT = """
import base64, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
images = pd.DataFrame({"image": [open(path, "rb").read() for path in sys.argv[3:]]})
model.predict(images).to_parquet(sys.argv[2])
"""


def save_network(size=SIZE, gain=20.0):
    """A network that scores brightness."""
    pixels = keras.Input((size, size, 1))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    dense = keras.layers.Dense(1, activation="sigmoid")
    network = keras.Model(pixels, dense(mean))
    dense.set_weights([np.full((1, 1), gain), np.full(1, -0.25 * gain)])
    files.save(network, paths.MODEL)
    return network


@pytest.fixture
def network(result):
    return save_network()


def test_images():
    return of_split(read_manifest(), "test")


test_images.__test__ = False


def direct(network, rows, settings):
    """Scores by the path of training: prepared pixels into the network."""
    contents = [(paths.RAW / path).read_bytes() for path in rows["path"]]
    pixels = np.stack([prepare(content, settings.preprocess).pixels for content in contents])
    return network.predict(pixels, verbose=0)


def test_from_publish_to_champion(result, store, network, tmp_path, monkeypatch):
    publish(result)
    version = register(result)
    poisoned = tmp_path / "poisoned"
    (poisoned / "tasks").mkdir(parents=True)
    (poisoned / "tasks" / "__init__.py").write_text("raise ImportError('not the package')")
    monkeypatch.setenv("PYTHONPATH", str(poisoned))
    rows = test_images()
    package = model_versions.download(version, tmp_path / "version_1")
    scores = scoring.score(package, rows, ["nodule"])
    np.testing.assert_allclose(scores, direct(network, rows, result), atol=1e-6)
    monkeypatch.setattr(scoring, "score", lambda *_: scores)
    assert gate(result) == "first"


@pytest.mark.slow
def test_a_client_gets_class_and_score_from_the_bytes_alone(result, store, network, tmp_path):
    publish(result)
    package = model_versions.download(register(result), tmp_path / "package")
    rows = test_images()
    answers = tmp_path / "answers.parquet"
    files_ = [str((paths.RAW / path).resolve()) for path in rows["path"]]
    subprocess.run(
        [sys.executable, "-c", CLIENT, str(package), str(answers), *files_],
        cwd=tmp_path,
        env=environment(),
        check=True,
    )
    answer = pd.read_parquet(answers)
    expected = direct(network, rows, result)
    np.testing.assert_allclose(answer[["score_nodule"]], expected, atol=1e-6)
    assert list(answer["prediction"]) == list(rows["label"])


@pytest.mark.slow
def test_each_version_prepares_images_its_own_way(result, store, network):
    """The champion takes 32 x 32 pixels, the challenger 64 x 64 and scores the other way round."""
    publish(result)
    register(result)
    assert gate(result) == "first"
    editing.set_values(paths.PARAMS, {"preprocess.size": [64, 64]})
    save_network(64, gain=-20.0)
    write_lock("result 2")
    settings = load(Params)
    publish(settings)
    register(settings)
    assert gate(settings) == "failed"
    figures = ledger.read()[-1].facts["figures"]
    assert (figures["champion_auroc"], figures["auroc"]) == (1.0, 0.0)
    assert figures["difference"]["value"] == -1.0
    assert figures["frozen"]["images"] == len(test_images())


@pytest.mark.slow
@pytest.mark.usefixtures("network")
def test_a_version_is_explained_by_its_scores_alone(result, monkeypatch):
    """It scores brightness: what is brighter than the image's mean speaks for it."""
    publish(result)
    register(result)
    rows = read_manifest()
    chosen = rows[rows["label"] == "nodule"].iloc[0]
    pack = np.full((len(rows), SIZE, SIZE, 1), 20, np.uint8)
    pack[chosen["row"], 8:24, 8:24] = 160
    monkeypatch.setattr("tasks.explain_version.open_pack", lambda: pack)
    (drawn,) = explain_version.explain(1, [chosen["image_id"]])
    heat = np.load(drawn.with_suffix(".npy"))
    assert drawn.exists()
    assert heat[5:9, 5:9].min() > 0.7
    assert not heat[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    with pytest.raises(RegistryError, match="version"):
        explain_version.explain(7, [chosen["image_id"]])
