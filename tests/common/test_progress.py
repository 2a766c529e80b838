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
