import numpy as np
import pytest

from benchmarks import youden


def test_of_the_images_is_the_best_sum_of_both_rates_halfway():
    targets = [0, 0, 0, 1, 0, 1, 1, 1]
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    found = youden.of_images(np.array(targets), np.array(scores))
    assert found == pytest.approx(0.35)  # among equals the lowest


def test_the_threshold_loses_less_than_the_reference(monkeypatch):
    monkeypatch.setattr(youden, "ALL", 20_000)
    ours, steps = youden.losses("unequally wide", 150, 0.5, draws=40)
    assert 0 < ours < 0.7 * steps


def test_every_kind_and_size_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(youden, "ALL", 2000)
    monkeypatch.setattr(youden, "GOAL", 100.0)
    with pytest.raises(SystemExit) as ended:
        youden.main(["--draws", "3"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(youden.KINDS) * len(youden.VALS)
    name, figure, goal = lines[-1].removeprefix("RESULT ").replace(" goal", "").split()
    assert (name, float(goal)) == ("youden", 100.0)
    assert float(figure) > 0
