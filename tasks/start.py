"""Bring the version that training starts from into `data/start`: `python -m tasks.start`.

No stage: a stage reads no registry. The flow runs it before the stages where `train.start` names a
version, and where what an earlier one has left is to be cleared away.
"""

from __future__ import annotations

from tasks.common import paths
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import start


@command
def main() -> None:
    """Fetch it or clear it away, and say which."""
    settings = load(Params)
    if settings.train.start is not None:
        print(f"Training starts from {start.fetch(settings).name}, in {paths.STARTED_FROM.folder}")
    elif start.clear():
        print(f"train.start is empty: {paths.STARTED_FROM.folder} was cleared away")
    else:
        print("train.start is empty: training starts afresh")


if __name__ == "__main__":
    main()
