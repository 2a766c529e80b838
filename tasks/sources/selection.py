"""Which images of a series, or frames of a file, `pull.take` brings."""

from __future__ import annotations


def chosen(count: int, take: str) -> list[int]:
    """Indices of those brought out of `count` in their order; `take` is `pull.take`.

    `all`; `middle`: of an even number the later of the two; `every 5`: the first, the sixth, ...
    """
    if take == "all":
        return list(range(count))
    if take == "middle":
        return [count // 2] if count else []
    return list(range(0, count, int(take.removeprefix("every "))))
