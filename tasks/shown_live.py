"""Where the epochs of a training stage go while it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.networks import device


@contextmanager
def shown_live(stage: str) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """Give what is called with each finished epoch and its metrics: it shows them in MLflow, from
    the first machine of those that train together.
    """
    if device.machine() > 0:
        yield lambda *_: None
        return
    from tasks.registry.live_runs import live_run

    with live_run(stage) as run:
        yield run.log_epoch
