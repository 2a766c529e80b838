"""Work on the next item while the last one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(function: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[tuple[Item, Made]]:
    """Each item and what `function` makes of it, which is at work on the next one meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        under_way: deque[tuple[Item, Future[Made]]] = deque()
        for item in items:
            under_way.append((item, pool.submit(function, item)))
            if len(under_way) > 1:
                first, made = under_way.popleft()
                yield first, made.result()
        for last, made in under_way:
            yield last, made.result()
