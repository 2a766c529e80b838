"""Predicting from the flows' command line: the command itself, with nothing around it."""

from __future__ import annotations

import os
import sys

from flows import predict


def test_all_is_passed_on(monkeypatch):
    became = []
    monkeypatch.setattr(os, "execve", lambda *given: became.append(given))
    monkeypatch.setattr("sys.argv", ["predict", "images", "--paths"])
    predict.main()
    [(program, command, variables)] = became
    assert program == sys.executable
    assert command == [sys.executable, "-m", "tasks.predict", "images", "--paths"]
    assert variables["MLFLOW_DISABLE_TELEMETRY"] == "true"
