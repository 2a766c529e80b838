from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from worlds.word_list import require_listed

from tasks import evaluate
from tasks.common import manifest, paths
from tasks.common.errors import DataError, TrainingError
from tasks.common.params.loading import load
from tasks.common.params.task import Task
from tasks.imaging.external import External
from tasks.imaging.images import Images
from tasks.networks import files, scoring
from tasks.registry import cases, record
from tasks.statistics import recalibration, scores
from tasks.statistics.recalibration import Recalibration

OUTS = (
    *(paths.SCORES, paths.OPERATING_POINT, paths.CALIBRATION, paths.METRICS, paths.SUMMARY),
    *(paths.ROC, paths.CONFUSION, paths.NET_BENEFIT),
)


def content() -> dict[str, bytes]:
    files = [*OUTS, *paths.FIGURES.iterdir()]
    return {str(path): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def evaluated(tiny_once):
    """What the stage says; tests only look at what it has written."""
    tiny_once()
    with redirect_stdout(io.StringIO()) as said:
        evaluate.main()
    return said.getvalue()


@pytest.fixture(scope="module")
def before(evaluated):
    """Its metrics."""
    return json.loads(paths.METRICS.read_text())


def test_the_stage_writes_what_it_finds(evaluated):
    table = pd.read_parquet(paths.SCORES)
    test = table[table["split"] == "test"]
    assert list(table) == ["image_id", "group", "split", "label", "score_0"]
    assert len(table) == 80
    metrics = json.loads(paths.METRICS.read_text())
    expected = roc_auc_score(test["label"] == "nodule", test["score_0"])
    found = metrics["test"]["auroc"]
    assert found["value"] == pytest.approx(expected, abs=1e-6)
    assert found["low"] <= found["value"] <= found["high"]
    assert set(metrics["test"]["slices"]["sex"]) == {"F", "M"}
    few = dict(record.metrics(json.loads(paths.SUMMARY.read_text())))
    assert len(few) == 10
    assert few.items() <= dict(record.metrics(metrics)).items()  # under the names of MLflow
    assert evaluated.startswith("Computing on ")
    assert f"test: AUROC {expected:.3f}" in evaluated


def test_the_operating_point_is_that_of_val_applied_to_test(tiny):
    tiny({"evaluate.operating_point.rule": "sensitivity", "evaluate.operating_point.target": 1.0})
    evaluate.main()
    table = pd.read_parquet(paths.SCORES)
    threshold = json.loads(paths.OPERATING_POINT.read_text())["thresholds"]["nodule"]
    val, test = (table[table["split"] == split] for split in ("val", "test"))
    ill = val.loc[val["label"] == "nodule", "score_0"]
    healthy = val.loc[val["label"] == "no_nodule", "score_0"]
    assert healthy[healthy < ill.min()].max() < threshold < ill.min()
    pairs = pd.read_csv(paths.CONFUSION)
    assert (pairs["predicted"] == "nodule").to_list() == (test["score_0"] >= threshold).to_list()
    assert pairs["actual"].to_list() == test["label"].to_list()


def test_a_network_that_was_trained_without_weights_is_even_at_the_share_of_train(tiny):
    tiny({"train.class_weights": False})
    rows = manifest.read_manifest()
    train = np.flatnonzero(rows["split"] == "train")
    rows.loc[train[len(train) // 10 :], "label"] = "nodule"
    manifest.write(rows, paths.MANIFEST, manifest.MANIFEST)
    with mock.patch.object(evaluate.fitted, "fit", wraps=evaluate.fitted.fit) as fit:
        evaluate.main()
    (even,) = fit.call_args.args[-1]
    assert even == pytest.approx((rows.loc[train, "label"] == "nodule").mean())
    assert even > 0.85


def fitted_on_val():
    """What calibrates, as it is stored."""
    stored = json.loads(paths.CALIBRATION.read_text())
    return Recalibration(stored["temperature"], tuple(stored["shifts"]))


def test_recalibration_is_that_of_val_and_changes_calibration_alone(evaluated):
    table = pd.read_parquet(paths.SCORES)
    val, test = (table[table["split"] == split] for split in ("val", "test"))
    ill = (val[["label"]] == "nodule").to_numpy(float)
    fitted = recalibration.fit("binary", ill, scores.values(val))
    assert fitted_on_val() == fitted != recalibration.identity("binary", 1)
    after = recalibration.apply("binary", scores.values(test), fitted)[:, 0]
    metrics = json.loads(paths.METRICS.read_text())
    found = metrics["test"]["calibrated"]
    assert (found["temperature"], found["shift"]) == (fitted.temperature, *fitted.shifts)
    assert found["loss"]["value"] == pytest.approx(log_loss(test["label"], after), abs=1e-6)
    assert found["brier"]["value"] == pytest.approx(
        brier_score_loss(test["label"], after, pos_label="nodule"), abs=1e-6
    )
    assert set(found) == {"temperature", "shift", "ece", "brier", "loss", "calibration_slope"}
    known = metrics["val"]
    assert known["calibrated"]["loss"]["value"] < known["loss"]["value"]


def test_the_same_model_gives_the_same_bytes(evaluated):
    first = content()
    evaluate.main()
    assert content() == first
    assert {path.name for path in paths.FIGURES.iterdir()} == {
        "roc.png",
        "confusion.png",
        "calibration.png",
        "net_benefit.png",
        "score_histogram.png",
        "robustness_1.png",
        "robustness_2.png",
        "robustness_3.png",
    }


def test_the_net_benefit_is_that_of_the_calibrated_scores(evaluated):
    table = pd.read_parquet(paths.SCORES).query("split == 'test'")
    called = recalibration.apply("binary", scores.values(table), fitted_on_val())[:, 0] >= 0.25
    ill = table["label"] == "nodule"
    worth = pd.read_csv(paths.NET_BENEFIT).set_index("threshold").loc[0.25]
    expected = ((called & ill).sum() - (called & ~ill).sum() / 3) / len(table)
    assert worth["net_benefit"] == pytest.approx(expected, abs=1e-6)
    assert worth["treating_all"] == pytest.approx(1 / 2 - 1 / 2 / 3, abs=1e-6)


def test_several_arrival_batches_are_slices_to_the_metrics_alone(before, tiny):
    assert set(before["test"]["slices"]) == {"sex"}
    rows = tiny()
    rows["batch"] = [10 if k % 40 >= 36 else 2 for k in range(len(rows))]
    manifest.write(rows, paths.MANIFEST, manifest.MANIFEST)
    evaluate.main()
    batches = json.loads(paths.METRICS.read_text())["test"]["slices"]["batch"]
    assert [(name, batch["images"], batch["judged"]) for name, batch in batches.items()] == [
        ("2", 36, True),
        ("10", 4, False),
    ]
    assert batches["10"]["auroc"] == {"value": 1.0, "low": None, "high": None}
    sets = json.loads(paths.METRICS.read_text())["test"]["conformal"]
    assert list(sets["slices"]) == ["sex", "batch"]
    assert list(sets["classes"]) == ["no_nodule", "nodule"]
    stored = json.loads(paths.CALIBRATION.read_text())["conformal"]
    assert stored["coverage"] == 0.9
    assert set(stored["least_scores"]) == {"no_nodule", "nodule"}
    table = cases.from_rows(rows[rows["split"] == "test"], load(evaluate.Settings).task, [])
    assert set(table.slices) == {"sex=F", "sex=M"}


def test_worse_images_are_scored_once_more_and_the_sample_is_said(evaluated):
    found = json.loads(paths.METRICS.read_text())["test"]["robustness"]
    assert (found["images"], found["patients"], found["judged"]) == (40, 20, True)
    assert {kind: list(found[kind]) for kind in ("noise", "contrast", "jpeg")} == {
        "noise": ["5", "10", "20"],
        "contrast": ["0.8", "0.6", "0.4"],
        "jpeg": ["80", "50", "20"],
    }
    test = pd.read_parquet(paths.SCORES).query("split == 'test'")
    expected = roc_auc_score(test["label"] == "nodule", test["score_0"])
    assert found["auroc"]["value"] == pytest.approx(expected, abs=1e-6)
    # The network measures brightness, which less contrast takes from the spots of a nodule.
    changed = [step["changed"]["value"] for step in found["contrast"].values()]
    assert changed == sorted(changed)
    assert changed[-1] > 0


def test_external_images_are_measured_with_what_val_has_decided(before, tiny, monkeypatch, capsys):
    rows = tiny({"evaluate.external": {"source": "folder", "path": "elsewhere"}})
    pixels = evaluate.open_pack()[:40] // 2 + 20
    theirs = rows[["image_id", "label", "group"]].iloc[:40]
    learned = []

    def read(ids):
        learned.extend(ids)
        return External(theirs, Images(pixels, np.arange(40)), {"copies": 1, "unusable": 2})

    monkeypatch.setattr(evaluate.external_images, "read", read)
    evaluate.main()
    after = json.loads(paths.METRICS.read_text())
    found = after.pop("external")
    assert after == before
    assert learned == rows.loc[rows["split"] != "test", "image_id"].to_list()
    given = scoring.score(files.load(paths.MODEL), pixels)[:, 0]
    ill = (theirs["label"] == "nodule").to_numpy()
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(ill, given), abs=1e-6)
    threshold = json.loads(paths.OPERATING_POINT.read_text())["thresholds"]["nodule"]
    assert found["sensitivity"]["value"] == pytest.approx((given[ill] >= threshold).mean())
    assert found["calibrated"]["temperature"] == fitted_on_val().temperature
    sure = recalibration.apply("binary", given[:, None].astype(float), fitted_on_val())[:, 0]
    assert found["calibrated"]["loss"]["value"] == pytest.approx(log_loss(ill, sure), abs=1e-6)
    assert found["left_out"] == {"copies": 1, "unusable": 2}
    assert found["conformal"]["images"] == found["images"] == 40
    assert "slices" not in found
    require_listed(paths.METRICS.read_text(), known="nodule F M null true false")
    assert "external: AUROC" in capsys.readouterr().out


def test_the_roc_goes_from_corner_to_corner(evaluated):
    curve = pd.read_csv(paths.ROC)
    assert curve.iloc[0].to_list() == [0, 0]
    assert curve.iloc[-1].to_list() == [1, 1]
    assert curve["fpr"].is_monotonic_increasing


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_several_outputs(kind, defaults, tmp_path):
    generator = np.random.default_rng(0)
    names = ["a", "b", "c"]
    task = Task(kind=kind, classes=names)
    labels = [names[k] for k in generator.integers(3, size=120)]
    if kind == "multilabel":
        labels = [label if k % 3 else "a|c" for k, label in enumerate(labels)]
    rows = pd.DataFrame(
        {
            "image_id": [str(k) for k in range(120)],
            "group": [str(k // 2) for k in range(120)],
            "split": ["val", "test"] * 60,
            "label": labels,
            "site": ["north", "south", "west"] * 40,
            "batch": 0,
        }
    )
    truth = scores.targets(rows, task)
    given = np.clip(0.2 + 0.5 * truth + generator.normal(0, 0.2, truth.shape), 0.01, 0.99)
    if kind == "multiclass":
        given /= given.sum(axis=1, keepdims=True)
    found = evaluate.evaluate(
        scores.make(rows, given), rows, task, defaults.evaluate, np.full(3, 0.5)
    )
    evaluate.draw(tmp_path, found, task, 0.95)
    assert list(found.metrics["test"]["classes"]) == names
    assert found.metrics["test"]["auroc"]["value"] > 0.85
    assert (found.fitted.point.thresholds is None) == (kind == "multiclass")
    matrices = 1 if kind == "multiclass" else 3
    assert len(evaluate.confusion_table(found.test, task)) == 60 * matrices
    sets = found.metrics["test"]["conformal"]
    assert sets["coverage"]["value"] == pytest.approx(0.9, abs=0.1)
    assert len(sets["classes"]) == (3 if kind == "multiclass" else 6)
    worth = evaluate.net_benefit_table(found, task)
    assert worth.groupby("class", sort=False).size().to_dict() == dict.fromkeys(names, 99)
    calibrated = found.metrics["test"]["calibrated"]
    assert calibrated["temperature"] == found.fitted.recalibration.temperature > 0
    shifts = [each.pop("shift", None) for each in calibrated["classes"].values()]
    assert shifts == [*(found.fitted.recalibration.shifts or [None] * 3)]
    assert set(calibrated["classes"]["a"]) == {"calibration_slope"}
    recorded = json.dumps(found.metrics, allow_nan=False)
    require_listed(recorded, known="a b c north south west null true false")
    assert len(dict(record.metrics(evaluate.headline(found.metrics)))) == 10


def test_scores_that_are_not_finite_are_an_error(defaults):
    rows = pd.DataFrame({"image_id": ["1"], "group": ["1"], "split": ["val"], "label": ["nodule"]})
    with pytest.raises(TrainingError, match=r"1 of 1 images with NaN.*learning_rate"):
        scores.make(rows, np.array([[np.nan]]))


def test_an_empty_split_is_an_error_that_names_the_key():
    table = pd.DataFrame({"split": ["val"]})
    with pytest.raises(DataError, match=r"split\.test"):
        scores.of_split(table, "test")
