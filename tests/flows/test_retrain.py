import json

import pytest
from prefect.states import Failed

from flows import receipt, retrain
from tasks.common import documents, paths


def test_the_flow_is_the_stages_between_pull_and_gate(workspace):
    names = list(retrain.steps())
    assert names[0] == "pull"
    assert names[-2:] == ["register", "gate"]
    assert names[1:-2] == [
        *("code", "preprocess", "split", "validate", "augment", "train", "fine_tune"),
        *("evaluate", "explain", "audit", "compress", "report", "publish"),
    ]


def test_each_stage_is_reproduced_with_what_it_needs(workspace):
    """Not `--single-item`, which says "didn't change" while an upstream stage has changed."""
    assert retrain.steps()["train"][1:] == ["-m", "dvc", "repro", "train"]


def interval(value, low, high):
    return {"value": value, "low": low, "high": high}


@pytest.fixture
def finished(workspace):
    """What a finished run leaves for the receipt; gives a function that changes it."""
    (workspace / "reports").mkdir()
    (workspace / ".medloop").mkdir()
    (workspace / ".medloop/last_run.json").write_text(
        '{"run_id": "abc", "model_name": "medloop", "version": 3, "verdict": "passed",'
        ' "reasons": ["0.961 over the floor 0.8"]}'
    )

    def write(
        test=(0.961, 0.94, 0.98), val=(0.97, 0.96, 0.98), leaking=0, copies=0, judged=True, **split
    ):
        metrics = {"test": {"auroc": interval(*test)}, "val": {"auroc": interval(*val)}}
        metrics["test"] |= {"judged": judged, "patients_with": 4, "patients_without": 30}
        (workspace / "reports/metrics.json").write_text(json.dumps(metrics))
        numbers = {
            "patients_on_two_sides": leaking,
            "images_of_patients_on_two_sides": 770 * bool(leaking),
            "pictures_on_two_sides": copies,
            "images": 60,
            "images_without_patient_id": 0,
            "on_leak": "report",
            "dropped": {},
        }
        (workspace / "reports/split.json").write_text(json.dumps(numbers | split))

    write()
    return write


def test_the_receipt_says_what_a_person_asks(finished):
    text = receipt.render({"pull": 1.5, "train": 20.0})
    for words in ("0.961 (0.940 to 0.980)", "abc", "version 3", "passed", "report.html", "21.5 s"):
        assert words in text
    assert "Positive      nodule\n" in text
    assert "two sides" not in text


def test_the_receipt_counts_patients_on_two_sides(finished):
    finished(leaking=170)
    assert "170 patients (770 images) stand on two sides" in receipt.render({})
    finished(copies=3)
    assert "3 pairs of the same picture stand on two sides" in receipt.render({})
    finished(images_without_patient_id=60)
    assert "60 of 60 images have no patient id" in receipt.render({})
    dropped = {"train": {"images": 453, "classes": {"normal": 0, "pneumonia": 453}}}
    finished(leaking=170, on_leak="drop", dropped=dropped)
    text = receipt.render({})
    assert "two sides" not in text
    assert "Dropped       of train 453 images (normal 0, pneumonia 453), for they leak" in text


def test_a_test_far_below_val_stands_first(finished):
    """More than 0.05 apart, with intervals that do not meet."""
    val = (0.985, 0.97, 0.99)
    finished((0.854, 0.83, 0.88), val)
    assert receipt.render({}).splitlines()[1] == (
        "Look first    AUROC on test 0.854 (0.830 to 0.880) is far below that on val 0.985 "
        "(0.970 to 0.990):"
    )
    for near in ((0.94, 0.93, 0.96), (0.854, 0.7, 0.975), (0.854, None, None), (1.0, 0.99, 1.0)):
        finished(near, val)
        assert "far below" not in receipt.render({})


def test_a_test_too_small_to_judge_is_said_and_has_no_interval(finished):
    finished(test=(0.961, None, None), judged=False)
    text = receipt.render({})
    assert "Test AUROC    0.961\n" in text
    assert text.splitlines()[1] == (
        "Look first    Test is too small to judge: required are 10 patients with the finding and "
        "10 without, it has 4 and 30"
    )


def test_a_wrong_setting_ends_before_anything_runs(workspace, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["retrain", "--set", "train.epochs=0"])
    assert retrain.main() == 1
    assert "received 0" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["no equals sign", "=5"])
def test_a_malformed_setting_is_refused(workspace, monkeypatch, capsys, text):
    monkeypatch.setattr("sys.argv", ["retrain", "--set", text])
    assert retrain.main() == 1
    assert "key=value" in capsys.readouterr().err


@pytest.mark.parametrize(("ran", "told"), [(True, 1), (False, 0)])
def test_what_stops_validation_is_told_but_no_earlier_result(workspace, monkeypatch, ran, told):
    documents.write_json(paths.VALIDATION, {"passed": True, "warnings": [], "expectations": []})
    published = []
    monkeypatch.setattr("flows.artifacts.publish_validation", lambda: published.append(1))

    class Step:
        def with_options(self, name):
            return self

        def __call__(self, name, command, return_state):
            if ran:
                paths.VALIDATION.unlink()
            return Failed(message="validate failed")

    monkeypatch.setattr("flows.retrain.run_command", Step())
    monkeypatch.setattr("flows.retrain.steps", lambda: {"validate": []})
    assert retrain._run_steps().message == "validate failed"
    assert len(published) == told
