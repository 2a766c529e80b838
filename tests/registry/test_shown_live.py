import pytest
from worlds.training import Recorder

from tasks.registry.live_runs import shown_live


@pytest.mark.parametrize(("first", "shown"), [(True, [1]), (False, [])])
def test_the_first_machine_alone_shows_its_epochs(monkeypatch, first, shown):
    recorder = Recorder()
    monkeypatch.setattr("tasks.registry.live_runs.live_run", recorder.live_run)
    with shown_live("train", first) as on_epoch:
        on_epoch(1, {"val_auroc": 0.5})
    assert recorder.epochs == shown
    assert recorder.stages == ["train"] * len(shown)
