"""What downloads share, where no server is needed to see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Event

import pytest
import requests

from tasks.common.errors import SourceError
from tasks.sources import transfer


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ("120", 120, 120),
        (timedelta(hours=2), 7000, 7200),
        (-timedelta(days=1), 0, 0),
        ("soon", 0, 0),
        ("", 0, 0),
    ],
)
def test_a_server_may_ask_to_wait_in_seconds_or_until_a_time(asked, low, high):
    if isinstance(asked, timedelta):
        asked = format_datetime(datetime.now(UTC) + asked)
    response = requests.Response()
    response.status_code = 503
    response.headers["Retry-After"] = asked
    with pytest.raises(transfer.AttemptError, match="HTTP 503") as caught:
        transfer._check_status(response)
    assert low <= caught.value.wait <= high


def test_waits_double(monkeypatch):
    waits: list[float] = []
    line = transfer.Line()
    monkeypatch.setattr(line.stop, "wait", waits.append)

    def attempt() -> None:
        raise transfer.AttemptError("cut")

    with pytest.raises(SourceError, match="cut"):
        line.retrying(attempt)
    assert waits == [2.0, 4.0, 8.0, 16.0]


def test_a_broken_disk_ends_all_at_once():
    stop, begun = Event(), []

    def do(piece: int) -> None:
        begun.append(piece)
        if piece == 0:
            raise OSError("no space left on device")
        stop.wait(5)

    with pytest.raises(OSError, match="no space"):
        transfer.each(range(100), do, stop)
    assert stop.is_set()
    assert len(begun) < 10


def test_progress_counts_pieces_and_bytes(monkeypatch, capsys):
    monkeypatch.setattr(transfer, "EVERY_SECONDS", 0.0)
    progress = transfer.Progress("series", 12)
    progress.add(2_500_000)
    progress.add(-1_000_000)
    progress.add(pieces=3)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Downloading series: 3 of 12, 1.5 MB received"
    )
