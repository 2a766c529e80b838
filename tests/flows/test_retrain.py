import json

import pytest
from prefect.states import Cancelled, Failed

from flows import receipt, retrain
from tasks.common import editing, paths
from tasks.common.errors import WorkspaceError


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


def test_a_step_that_was_skipped_is_unchanged(finished):
    lines = receipt.render({"pull": 1.5, "train": None, "publish": 1.0}).splitlines()
    assert "  train        unchanged" in lines
    assert "  total            2.5 s" in lines


def test_the_receipt_names_the_ports_that_are_set(finished, monkeypatch):
    monkeypatch.setenv("MLFLOW_PORT", "5055")
    assert "(MLflow on 127.0.0.1:5055, Prefect on 127.0.0.1:4200)" in receipt.render({})


def test_the_receipt_for_prefect_links_to_run_version_and_report(finished, monkeypatch):
    text = receipt.markdown({})
    base = "http://127.0.0.1:5000/#"
    version = f"{base}/models/medloop/versions/3?workflowType=machine_learning"
    assert f"[MLflow run]({base}/experiments/0/runs/abc?workflowType=machine_learning)" in text
    assert f"[medloop version 3: passed]({version})" in text
    assert version in receipt.render({})
    assert f"[Report]({(paths.REPORT).resolve().as_uri()})" in text
    assert receipt.render({}).strip() in text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org/")
    assert "(https://mlflow.example.org/#/models" in receipt.markdown({})
    assert receipt.outcome() == "medloop version 3: passed"


@pytest.fixture
def repository(workspace):
    (workspace / ".git").mkdir()
    return workspace


def retrained(monkeypatch, *arguments, state=None):
    """The status of the command, with this as the final state of the flow."""

    def run():
        if isinstance(state, BaseException):
            raise state
        return state

    monkeypatch.setattr("sys.argv", ["retrain", *arguments])
    monkeypatch.setattr(retrain, "_retrain", run)
    return retrain.main()


def test_a_failure_ends_with_its_cause_and_1(repository, monkeypatch, capsys):
    failed = Failed(message="pull: SourceError: no such folder")
    assert retrained(monkeypatch, state=failed) == 1
    said = capsys.readouterr().out
    assert said.startswith("\nRetraining stopped at pull: SourceError: no such folder\n")


@pytest.mark.parametrize("state", [Cancelled(message="x"), KeyboardInterrupt()])
def test_ctrl_c_is_told_in_one_line(repository, monkeypatch, capsys, state):
    assert retrained(monkeypatch, state=state) == 130
    assert capsys.readouterr().out == "\nStopped; run it again to go on.\n"


def test_prefect_that_does_not_start_is_told_in_one_line(repository, monkeypatch, capsys):
    assert retrained(monkeypatch, state=WorkspaceError("required: Prefect's server")) == 1
    assert capsys.readouterr().err == "WorkspaceError: required: Prefect's server\n"


def test_in_another_folder_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert retrained(monkeypatch) == 1
    assert "without dvc.yaml and params.yaml" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_a_setting_fixes_does_not_stop_the_run(repository, monkeypatch, capsys):
    editing.set_values(paths.PARAMS, {"model.weights": "/nowhere.h5"})
    assert retrained(monkeypatch) == 1
    assert "there is no such file" in capsys.readouterr().err
    assert retrained(monkeypatch, "--set", "model.weights=none", state=Cancelled()) == 130
