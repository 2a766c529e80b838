from __future__ import annotations

import pytest

from benchmarks import increment


def test_new_images_alone_are_decoded():
    first, more = increment.measure(first=12, new=3, side=64)
    assert (first.decodes, more.decodes) == (12, 3)


def test_both_limits_are_measured(monkeypatch, capsys):
    for name, value in {"FIRST": 10, "NEW": 2, "SIDE": 64, "FEW": 6, "MANY": 8}.items():
        monkeypatch.setattr(increment, name, value)
    with pytest.raises(SystemExit):
        increment.main([])
    printed = capsys.readouterr().out
    assert "2 more" in printed
    assert "peak memory: " in printed
    assert printed.splitlines()[-1].startswith("RESULT increment ")
