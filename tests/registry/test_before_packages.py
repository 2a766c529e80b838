"""Versions of before: a Keras model beside MLflow's own wrapper, found by its network's digest."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from worlds.registry import NAME, aliases, kinds, new_model, write_lock, write_model

from tasks.common import digests, paths
from tasks.publish import publish
from tasks.registry import ledger, model_versions, package, record
from tasks.registry.gate import gate
from tasks.registry.promotion import promote
from tasks.registry.registration import register
from tasks.registry.store import connect

WRAPPER = """
import cv2, numpy as np, pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

class ImageClassifier(PythonModel):
    def load_context(self, context):
        open(context.artifacts["model"], "rb").close()

    def predict(self, context, model_input, params=None):
        read = lambda content: cv2.imdecode(np.frombuffer(content, np.uint8), 0)
        means = [float(read(content).mean()) / 255 for content in model_input["image"]]
        labels = ["nodule" if mean > 0.25 else "no_nodule" for mean in means]
        return pd.DataFrame({"prediction": labels, "score_nodule": means})

set_model(ImageClassifier())
"""


@pytest.fixture
def old(result, store, tmp_path, monkeypatch):
    """A registered version as it was made before packages; its digest."""

    def log_model(task):
        wrapper = tmp_path / "wrapper.py"
        wrapper.write_text(WRAPPER)
        logged = mlflow.pyfunc.log_model(
            name=package.NAME,
            python_model=str(wrapper),
            artifacts={
                "model": str(paths.MODEL),
                "operating_point": str(paths.OPERATING_POINT),
            },
            pip_requirements=["mlflow"],
        )
        return str(logged.model_id)

    tags = record._tags
    with monkeypatch.context() as patch:
        patch.setattr(package, "log_model", log_model)
        without = {model_versions.PACKAGE}
        patch.setattr(
            record,
            "_tags",
            lambda *given: {k: v for k, v in tags(*given).items() if k not in without},
        )
        publish(result)
    version = register(result)
    assert model_versions.PACKAGE not in version.tags
    return digests.of_model(paths.MODEL)


def as_first(result, old):
    """It passed the gate of its day."""
    ledger.append("first", NAME, 1, old, {"reasons": []})
    connect().set_registered_model_alias(NAME, "champion", "1")


def test_one_is_champion_still_and_can_be_promoted_again(result, old, quality):
    as_first(result, old)
    new_model(2)
    assert gate(result) == "not worse"
    assert kinds() == [("first", 1), ("passed", 2)]
    assert promote(NAME) == 2
    assert promote(NAME, 1) == 1
    assert aliases(connect())["champion"] == 1


def test_one_whose_network_was_swapped_is_no_yardstick(result, old, quality, files_of):
    as_first(result, old)
    write_model(b"another")
    file = files_of(1) / "artifacts" / paths.MODEL.name
    file.write_bytes(paths.MODEL.read_bytes())
    new_model(2)
    with pytest.raises(Exception, match="registered as medloop version 1; received: another one"):
        gate(result)


def test_the_package_of_the_same_network_is_a_version_of_its_own(result, old):
    write_lock("result 2")
    publish(result)
    assert int(register(result).version) == 2


@pytest.mark.slow
def test_one_still_loads_and_is_scored_by_itself(result, old):
    as_first(result, old)
    new_model(2)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/1")
    rows = [next(paths.RAW.glob("*.png")).read_bytes()]
    assert np.isfinite(model.predict(pd.DataFrame({"image": rows}))["score_nodule"][0])
