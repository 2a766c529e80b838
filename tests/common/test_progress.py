"""Progress in a log that is no terminal."""

from __future__ import annotations

from tasks.common import progress


def test_items_pass_and_lines_are_few(capsys, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    assert list(progress.progress(list(range(12)), "Counting")) == list(range(12))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Counting: 4 of 12"
    assert len(lines) <= 3


def test_epochs_are_told_as_a_person_reads_them(monkeypatch):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    pace = progress.Pace()
    told = [epoch for epoch in range(1, 49) if pace.due(epoch, last=epoch == 48)]
    assert told == [1, 2, 3, 4, 5, 10, 20, 30, 40, 48]


def test_a_slow_epoch_is_told_whichever_it_is(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    pace = progress.Pace()
    told = []
    for epoch in range(1, 20):
        clock[0] += 6.0 if epoch > 10 else 0.0
        told += [epoch] if pace.due(epoch, last=False) else []
    assert told == [1, 2, 3, 4, 5, 10, 12, 14, 16, 18]
