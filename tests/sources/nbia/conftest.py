"""An NBIA server that misbehaves on demand, and a pull that waits for nothing long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds.bad_server import BadServer, make_series, serving

from tasks.sources import nbia, transfer


@pytest.fixture(autouse=True)
def impatient(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(transfer, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(transfer, "TIMEOUT", (2.0, 2.0))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    with serving(BadServer([make_series(1), make_series(2, 3), make_series(3)])) as bad:
        monkeypatch.setenv(nbia.URL_VARIABLE, bad.url)
        yield bad
