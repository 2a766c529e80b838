"""The packaged model, loaded as MLflow loads it."""

import shutil
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
from worlds.project import environment
from worlds.readme import blocks
from worlds.registry import SIZE, brightness_scores, held_out, new_package
from worlds.serving import write_package

from tasks import explain_version
from tasks.common import editing, paths
from tasks.common.errors import RegistryError
from tasks.common.manifest import read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.publish import publish
from tasks.registry import answers, ledger, model_versions, scoring
from tasks.registry.gate import gate
from tasks.registry.registration import register
from tasks.serving import settings

# Loads each named model and answers the same files, in one process.
CLIENT = """
import sys, time
import mlflow, pandas as pd
images = pd.DataFrame({"image": [open(path, "rb").read() for path in sys.argv[3:]]})
for number, package in enumerate(sys.argv[1].split(",")):
    model = mlflow.pyfunc.load_model(package)
    start = time.monotonic()
    model.predict(images[:1])
    assert time.monotonic() - start < 2
    model.predict(images).to_parquet(f"{sys.argv[2]}{number}.parquet")
"""


def test_from_publish_to_champion(result, store, tmp_path, monkeypatch):
    version = new_package(result)
    poisoned = tmp_path / "poisoned"
    (poisoned / "tasks").mkdir(parents=True)
    (poisoned / "tasks" / "__init__.py").write_text("raise ImportError('not the package')")
    monkeypatch.setenv("PYTHONPATH", str(poisoned))
    rows = held_out()
    package = model_versions.download(version, tmp_path / "version_1")
    said = scoring.ask(package, rows)
    scores = scoring.scores_in(said, ["nodule"], "version_1")
    np.testing.assert_allclose(scores, brightness_scores(rows, result), atol=1e-5)
    monkeypatch.setattr(scoring, "ask", lambda *_: said)
    assert gate(result) == "first"


@pytest.fixture
def falling_back(result, store):
    """A version whose int8 file answers otherwise here; the float one has the threshold 0.9."""
    shutil.rmtree(paths.PACKAGE)
    write_package(paths.PACKAGE, size=SIZE, serves=settings.INT8)
    known = settings.read(paths.SERVING)
    known.files[settings.INT8].fingerprint[0] += 1
    known.files[settings.FLOAT].point.thresholds["nodule"] = 0.9
    settings.write(paths.SERVING, known)
    publish(result)
    return register(result)


def test_the_gate_judges_what_answers_here(falling_back, result):
    rows, packages = held_out(), answers.held_to(falling_back)
    found = answers.of_version(falling_back, rows, result.task, packages, "")
    assert ((found.scores > 0.5) & (found.scores < 0.9)).any()
    assert (found.predictions == (found.scores >= 0.9)).all()


def test_it_loads_beside_the_code_of_the_repository(result, store):
    """With a signature, whose optional columns and parameters can be left out or given."""
    version = new_package(result)
    model = mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
    contents = [(paths.RAW / path).read_bytes() for path in held_out()["path"]]
    table = pd.DataFrame({"image": contents})
    answers = model.predict(table)
    np.testing.assert_allclose(
        answers[["score_nodule"]], brightness_scores(held_out(), result), atol=1e-5
    )
    explained = model.predict(table[:1], params={"explain": "nodule"})
    assert np.array(explained["heatmap"][0]).shape == (SIZE, SIZE)
    example = model.input_example
    assert list(model.predict(example).columns) == list(answers.columns)


def test_the_readme_asks_the_champion_from_any_folder(result, store, tmp_path, monkeypatch, capsys):
    version = new_package(result)
    store.client.set_registered_model_alias(version.name, model_versions.CHAMPION, version.version)
    (block,) = (block for block in blocks("README.md", "python") if "load_model" in block)
    row = held_out().iloc[0]
    code, before = block.replace("<your folder>", str(paths.root())), mlflow.get_tracking_uri()
    (tmp_path / "image.dcm").write_bytes((paths.RAW / row["path"]).read_bytes())
    monkeypatch.chdir(tmp_path)
    try:
        exec(code, {})
    finally:
        mlflow.set_tracking_uri(before)
    assert row["label"] in capsys.readouterr().out


@pytest.mark.slow
def test_a_client_holds_two_versions_in_one_process(result, store, tmp_path):
    packages = [
        str(model_versions.download(new_package(result, gain=gain), tmp_path / f"version{gain}"))
        for gain in (20.0, -20.0)
    ]
    rows = held_out()
    files = [str((paths.RAW / path).resolve()) for path in rows["path"]]
    subprocess.run(
        [sys.executable, "-c", CLIENT, ",".join(packages), str(tmp_path / "answers"), *files],
        cwd=tmp_path,
        env=environment(),
        check=True,
    )
    first, second = (pd.read_parquet(tmp_path / f"answers{k}.parquet") for k in (0, 1))
    np.testing.assert_allclose(first[["score_nodule"]], brightness_scores(rows, result), atol=1e-5)
    np.testing.assert_allclose(
        second[["score_nodule"]], brightness_scores(rows, result, -20.0), atol=1e-5
    )
    assert list(first["prediction"]) == list(rows["label"])


@pytest.mark.slow
def test_each_version_prepares_images_its_own_way(result, store):
    """The champion takes 32 x 32 pixels, the challenger 64 x 64 and scores the other way round."""
    new_package(result)
    assert gate(result) == "first"
    editing.set_values(paths.PARAMS, {"preprocess.size": [64, 64]})
    settings = load(Params)
    new_package(settings, 64, gain=-20.0)
    assert gate(settings) == "failed"
    figures = ledger.read()[-1].facts["figures"]
    assert figures["auroc"]["value"] == 0.0
    assert figures["compared"]["the champion and reference, version 1"]["value"] == -1.0
    assert figures["frozen"]["images"] == len(held_out())


@pytest.mark.slow
def test_a_version_is_explained_by_its_scores_alone(result, store, monkeypatch):
    """It scores brightness: what is brighter than the image's mean speaks for it."""
    new_package(result)
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
