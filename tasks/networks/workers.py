"""Where trials run: in this process, and in others that each have a network of their own."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from tasks.common.errors import TrainingError
from tasks.networks import device
from tasks.networks.passes import Data
from tasks.networks.trials import Bench, Task, Trial

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from tasks.common.params.whole import Params

Read = Callable[[], Data]
Run = Callable[[Sequence[Task]], Iterator[Trial]]
_bench: Bench  # of a process that is a worker


@contextmanager
def workers(settings: Params, read: Read) -> Iterator[Run]:
    """What runs trials and gives them as they end: this process, and beside it as many more as
    `tune.workers` asks for, whose trials it gives between its own. Whatever ends it ends them.

    Args:
        settings: that trials change.
        read: reads the data; processes are handed it, so it is a function of a module or a partial
            of one.

    Raises:
        TrainingError: a process was ended from outside.
    """
    more = settings.tune.workers - 1
    if not more:
        bench = Bench(settings, read())
        yield lambda tasks: map(bench.run, tasks)
        return
    # Another start than by a fork, which TensorFlow does not survive.
    context = multiprocessing.get_context("spawn")
    begun = context.Value("i", 0)
    with ProcessPoolExecutor(more, context, _begin, (settings, read, begun)) as pool:
        try:
            starts = [pool.submit(os.getpid) for _ in range(more)]  # starts a process each
            bench = Bench(settings, read())
            yield lambda tasks: _shared(tasks, bench, pool, lambda: _count(begun, starts))
        except BrokenProcessPool:
            raise TrainingError(
                f"required: memory for {more + 1} processes (tune.workers); received: one of "
                "them was ended. Lower tune.workers, or run it again to go on"
            ) from None
        finally:
            for process in multiprocessing.active_children():
                process.kill()


def _count(begun: Synchronized[int], starts: Sequence[Future[int]]) -> int:
    """How many processes have begun, which takes them some seconds.

    Raises:
        BrokenProcessPool: one was ended.
    """
    for start in starts:
        if start.done():
            start.result()
    return begun.value


def _shared(
    tasks: Sequence[Task], bench: Bench, pool: ProcessPoolExecutor, begun: Callable[[], int]
) -> Iterator[Trial]:
    """Run `tasks` here and in as many processes as have `begun`."""
    waiting, elsewhere = deque(tasks), set[Future[Trial]]()
    while waiting:
        for _ in range(min(begun() - len(elsewhere), len(waiting))):
            elsewhere.add(pool.submit(_run, waiting.popleft()))
        if waiting:
            yield bench.run(waiting.popleft())
        ended = {future for future in elsewhere if future.done()}
        yield from (future.result() for future in ended)
        elsewhere -= ended
    for future in as_completed(elsewhere):
        yield future.result()


def _begin(settings: Params, read: Read, begun: Synchronized[int]) -> None:
    """Make this process a worker."""
    global _bench
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    train = settings.train
    with redirect_stdout(io.StringIO()):
        device.prepare(train.threads, train.seed, train.devices)
    _bench = Bench(settings, read())
    with begun.get_lock():
        begun.value += 1


def _run(task: Task) -> Trial:
    return _bench.run(task)


def _end_with_parent() -> None:
    """End at once where who started this process is killed, and could not end it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
