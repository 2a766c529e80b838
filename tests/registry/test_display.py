"""What a promoter reads in MLflow."""

from __future__ import annotations

from worlds.registry import NAME

from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import display, ledger
from tasks.registry.gate import gate
from tasks.registry.store import connect

INTERVAL = {"value": 0.95, "low": 0.9, "high": 0.98}
LOSS = {"value": -0.009, "low": -0.019, "high": -0.001, "word": "worse but within the margin"}


def entry():
    slices = {
        "site=north": {"auroc": {"value": 0.8, "low": 0.6, "high": 0.9}, "sensitivity": INTERVAL},
        "site=south": {"auroc": INTERVAL, "sensitivity": INTERVAL},
    }
    figures = {"images": 1200, "auroc": INTERVAL, "slices": slices}
    figures["compared"] = {"the champion, version 2": LOSS}
    facts = {"outcome": "worse but within the margin", "reasons": ["a", "b <c>"]}
    about = (NAME, 3, "digest", facts | {"figures": figures}, ledger.START)
    return ledger.Entry("2026-01-02T03:04:05+00:00", "passed", *about)


def test_the_first_lines_are_what_a_person_asks():
    assert display.title(entry()) == "Version 3: worse but within the margin"
    assert list(display.lines(entry())) == [
        "AUROC 0.950 (0.900 to 0.980), on 1,200 test images",
        "Beside the champion, version 2: worse but within the margin, AUROC -0.009, by the "
        "interval 0.001 to 0.019 lower",
        "Look at site=north: AUROC 0.800 (0.600 to 0.900), sensitivity 0.950 (0.900 to 0.980)",
    ]


def test_a_verdict_is_shown_on_model_version_and_run(champion):
    gate(load(Params))
    client = connect()
    version = client.get_model_version(NAME, "2")
    assert version.description.startswith("**Version 2: not worse**\n\nAUROC 1.000 (0.605 to")
    assert version.tags["beside champion and reference"].startswith("0.000 (-0.")
    assert "**To promote a version here**" in client.get_registered_model(NAME).description
    run = client.get_run(version.run_id)
    assert run.data.tags["mlflow.note.content"] == version.description
    link = f"#/experiments/{run.info.experiment_id}/runs/{version.run_id}?workflowType="
    assert link in version.description
    assert f"artifacts/{paths.VERDICT}?workflowType=" in version.description
    assert f"artifacts/{paths.MODEL_CARD}?workflowType=" in version.description
