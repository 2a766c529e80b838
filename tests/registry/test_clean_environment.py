"""The packaged model in an environment of nothing but its requirements, by every door of MLflow."""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from worlds.loopback import free_port, reached, wait_for
from worlds.project import ROOT, environment, run
from worlds.registry import brightness_scores, held_out, new_package

from tasks.common import paths
from tasks.registry import model_versions, scoring

pytestmark = pytest.mark.slow
LOAD = """
import json, sys, time
import mlflow, pandas as pd
images = pd.DataFrame({"image": [open(path, "rb").read() for path in sys.argv[3:]]})
model = mlflow.pyfunc.load_model(sys.argv[1])
start = time.monotonic()
model.predict(images[:1])
seconds = time.monotonic() - start
answers = model.predict(images)
found = {"seconds": seconds, "scores": answers["score_nodule"].tolist(),
         "modules": [name for name in ("tensorflow", "keras", "scipy") if name in sys.modules]}
json.dump(found, open(sys.argv[2], "w"))
"""


@pytest.fixture
def package(result, store, tmp_path):
    return model_versions.download(new_package(result), tmp_path / "version")


@pytest.fixture
def python(package, tmp_path):
    """The interpreter of a clean environment, built without the network."""
    home = tmp_path / "clean"
    uv = [str(Path(sys.executable).with_name("uv")), "--offline", "--quiet"]
    run(*uv, "venv", "--python", sys.executable, str(home), cwd=tmp_path)
    command = [*uv, "pip", "install", "--python", str(home / "bin" / "python")]
    wanted = ("-r", str(package / "requirements.txt"), "-c", str(ROOT / "requirements.lock"))
    done = run(*command, *wanted, cwd=tmp_path, check=False)
    if "network was disabled" in done.stderr:
        pytest.skip("uv's cache, which `make setup` fills, was cleared")
    assert done.returncode == 0, done.stderr
    return home / "bin" / "python"


@pytest.fixture
def files():
    return [str((paths.RAW / path).resolve()) for path in held_out()["path"]]


def body(files):
    rows = [[base64.b64encode(Path(file).read_bytes()).decode()] for file in files]
    return json.dumps({"dataframe_split": {"columns": ["image"], "data": rows}})


def test_every_door_gives_the_same_scores(result, package, python, files, tmp_path):
    loaded, predicted = tmp_path / "loaded.json", tmp_path / "predicted.json"
    run(str(python), "-c", LOAD, str(package), str(loaded), *files, cwd=tmp_path)
    found = json.loads(loaded.read_text())
    assert found["seconds"] < 2
    assert found["modules"] == []
    (tmp_path / "input.json").write_text(body(files))
    model = ("models", "predict", "--model-uri", str(package), "--env-manager", "local")
    ends = ("--input-path", "input.json", "--content-type", "json", "--output-path", str(predicted))
    run(str(python), "-m", "mlflow", *model, *ends, cwd=tmp_path)
    doors = {
        "mlflow models predict": _scores(predicted.read_text()),
        "mlflow models serve": _scores(served(package, python, files, tmp_path)),
        "the gate": scoring.score(package, held_out(), ["nodule"])[:, 0],
    }
    expected = brightness_scores(held_out(), result)[:, 0]
    np.testing.assert_allclose(found["scores"], expected, atol=1e-5)
    for door, scores in doors.items():
        np.testing.assert_allclose(scores, found["scores"], atol=1e-6, err_msg=door)


def _scores(answer):
    return pd.DataFrame(json.loads(answer)["predictions"])["score_nodule"]


def served(package, python, files, folder):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    model = ("models", "serve", "--model-uri", str(package), "--env-manager", "local")
    server = subprocess.Popen(
        [str(python), "-m", "mlflow", *model, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env=environment(),
        start_new_session=True,
    )
    try:
        wait_for(lambda: reached(f"{url}/ping"), 120, "the server")
        request = urllib.request.Request(
            f"{url}/invocations", body(files).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
