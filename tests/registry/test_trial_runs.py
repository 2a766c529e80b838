"""A search in MLflow: a run with a run per trial, the same however often it is recorded."""

from tasks.networks.trials import Trial
from tasks.registry import live_runs, trial_runs

TRIALS = [
    Trial(
        0, {"train.l2": 0.5}, "complete", {"val_calibrated_loss": 0.25, "val_auroc": 0.75}, [0.25]
    ),
    Trial(1, {"train.l2": 0.125}, "pruned", {}, [0.5]),
]


def test_each_trial_is_a_run_in_that_of_its_search(store, tmp_path):
    picture = tmp_path / "history.png"
    picture.write_bytes(b"")
    for trials in (TRIALS[:1], TRIALS, TRIALS):
        trial_runs.record("medloop", "a key", trials, [picture])
    (search,) = live_runs.search(store, {trial_runs.SEARCH: "a key"})
    found = live_runs.search(store, {trial_runs.PARENT: search.info.run_id})
    first, second = sorted(found, key=lambda run: run.data.tags[trial_runs.TRIAL])
    assert search.info.status == "FINISHED"
    assert [file.path for file in store.client.list_artifacts(search.info.run_id, "tuning")]
    assert (first.info.status, second.info.status) == ("FINISHED", "KILLED")
    assert (first.data.params, first.data.metrics) == ({"train.l2": "0.5"}, TRIALS[0].metrics)
    assert (second.data.params, second.data.metrics) == ({"train.l2": "0.125"}, {})


def test_a_store_that_is_away_costs_the_record_alone(workspace, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/params.yaml")
    trial_runs.record("medloop", "a key", TRIALS, [])
    assert "the search is not recorded in MLflow" in capsys.readouterr().err
