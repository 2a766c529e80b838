"""The command that searches: what it says, and that params.yaml changes on request alone."""

import pytest

from tasks import tune
from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.networks.trials import Trial

NOW = Trial(
    0, {"train.l2": 0.0}, "complete", {"val_calibrated_loss": 0.5, "val_auroc": 0.75}, [0.5]
)
BETTER = Trial(
    1, {"train.l2": 0.25}, "complete", {"val_calibrated_loss": 0.25, "val_auroc": 0.875}, [0.25]
)


class Found:
    """A search that has been run."""

    key = "a key"

    def __init__(self, *trials):
        self._trials = list(trials)

    def run(self):
        return iter(self._trials)

    def trials(self):
        return self._trials

    def best(self):
        return min(self._trials, key=lambda trial: trial.metrics["val_calibrated_loss"])

    def importance(self):
        return {"train.l2": 1.0}


@pytest.fixture
def tuned(workspace, monkeypatch, capsys):
    recorded = []
    paths.VIEWS.parent.mkdir(parents=True, exist_ok=True)
    paths.VIEWS.write_text("{}")
    monkeypatch.setattr("tasks.networks.device.prepare", lambda *_: None)
    monkeypatch.setattr("tasks.registry.trial_runs.record", lambda *given: recorded.append(given))

    def run(*trials, arguments=()):
        monkeypatch.setattr(tune, "Search", lambda *_: Found(*trials))
        monkeypatch.setattr("sys.argv", ["tune", *arguments])
        tune.main()
        *given, pictures = recorded.pop()
        assert given == ["medloop", "a key", list(trials)]
        assert set(pictures) == set(paths.TUNING.iterdir())
        return capsys.readouterr().out

    return run


def test_the_best_trial_is_shown_as_a_change_and_made_on_request(tuned):
    before = paths.PARAMS.read_text()
    said = tuned(NOW, BETTER)
    assert "Trial 1 of 20: val loss 0.2500, AUROC 0.8750; train.l2 0.25" in said
    assert "-  l2: 0.0\n+  l2: 0.25\n" in said
    assert "python -m flows.tune --apply" in said
    assert paths.PARAMS.read_text() == before
    assert "-  l2: 0.0\n+  l2: 0.25\n" in tuned(NOW, BETTER, arguments=["--apply"])
    assert load(Params).train.l2 == 0.25


def test_where_nothing_is_better_nothing_changes(tuned):
    before = paths.PARAMS.read_text()
    worse = BETTER._replace(metrics=NOW.metrics)
    assert "Nothing better was found" in tuned(NOW, worse, arguments=["--apply"])
    assert paths.PARAMS.read_text() == before


def test_it_needs_what_training_reads(workspace, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tune"])
    with pytest.raises(SystemExit):
        tune.main()
    assert "`dvc repro augment` makes it" in capsys.readouterr().err
