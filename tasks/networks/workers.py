"""Where trials run: in this process, or in several that each have a network of their own."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from tasks.common.errors import TrainingError
from tasks.networks import device
from tasks.networks.passes import Data
from tasks.networks.trials import Bench, Task, Trial

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

Read = Callable[[], Data]
Run = Callable[[Sequence[Task]], Iterator[Trial]]
_bench: Bench  # of a process that is a worker


@contextmanager
def workers(settings: Params, read: Read) -> Iterator[Run]:
    """What runs trials and gives them in the order in which they end: `tune.workers` processes,
    or this one alone. Whatever ends this one ends them.

    Args:
        settings: that trials change.
        read: reads the data; processes are handed it, so it is a function of a module or a partial
            of one.

    Raises:
        TrainingError: a process was ended from outside.
    """
    if settings.tune.workers == 1:
        bench = Bench(settings, read())
        yield lambda tasks: map(bench.run, tasks)
        return
    # Another start than by a fork, which TensorFlow does not survive.
    context = multiprocessing.get_context("spawn")
    count = settings.tune.workers
    with ProcessPoolExecutor(count, context, _begin, (settings, read)) as pool:
        try:
            yield lambda tasks: _ended(pool, tasks)
        except BaseException as error:
            for process in multiprocessing.active_children():
                process.kill()
            if isinstance(error, BrokenProcessPool):
                raise TrainingError(
                    f"required: memory for {count} processes (tune.workers); received: one of "
                    "them was ended. Lower tune.workers, or run it again to go on"
                ) from None
            raise


def _ended(pool: ProcessPoolExecutor, tasks: Sequence[Task]) -> Iterator[Trial]:
    for future in as_completed([pool.submit(_run, task) for task in tasks]):
        yield future.result()


def _begin(settings: Params, read: Read) -> None:
    """Make this process a worker."""
    global _bench
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    train = settings.train
    with redirect_stdout(io.StringIO()):
        device.prepare(train.threads, train.seed, train.devices)
    _bench = Bench(settings, read())


def _run(task: Task) -> Trial:
    return _bench.run(task)


def _end_with_parent() -> None:
    """End at once where who started this process is killed, and could not end it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
