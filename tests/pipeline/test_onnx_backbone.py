"""The loop with a feature extractor that is brought: from pull to gate, and asked as it serves."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest
from worlds import extractors
from worlds.project import make_project, run, store, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brought")
    brought = {
        "model.backbone": "onnx",
        "model.weights": str(extractors.vit(folder / "vit.onnx", size=64)),
        "model.onnx": {"mean": [0.5], "std": [0.25]},
        "fine_tune.epochs": 0,
        "train.learning_rate": 0.02,
    }
    project = make_project(folder / "project", **brought)
    done = run(sys.executable, "-m", "flows.retrain", cwd=project)
    (project / "retrain.log").write_text(done.stdout + done.stderr)
    return project


def test_a_version_is_registered_and_judged(project):
    (version,) = versions(project)
    champion = store(project).get_model_version_by_alias("medloop", "champion")
    assert champion.version == version.version
    assert "Traceback" not in (project / "retrain.log").read_text()


def test_the_report_says_how_its_heatmaps_came_about(project):
    page = (project / "reports" / "report.html").read_text()
    assert "occlusion: what the score loses" in page
    assert "Grad-CAM" not in page
    assert "vit.onnx" in page
    assert str(project.parent) not in page


def test_the_version_answers_about_files_and_is_explained(project):
    predict = ("-m", "flows.predict", "data/raw", "answers.parquet")
    run(sys.executable, *predict, cwd=project)
    found = pd.read_parquet(project / "answers.parquet")
    assert found.filter(like="score_").notna().any(axis=None)
    index = json.loads((project / "reports" / "explain" / "index.json").read_text())
    image = index["examples"][0]["image_id"]
    run(sys.executable, "-m", "tasks.explain_version", "1", image, cwd=project)
    assert list((project / "reports" / "explained").glob("*_version_1_*.png"))
