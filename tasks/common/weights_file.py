"""The file behind `model.weights`."""

from __future__ import annotations

from pathlib import Path

from tasks.common.errors import WeightsError

BUILT_IN = ("imagenet", "none")


def named(weights: str) -> Path | None:
    """The weights file that is named; None where `weights` is `imagenet` or `none`.

    Raises:
        WeightsError: there is no such file.
    """
    if weights in BUILT_IN:
        return None
    path = Path(weights).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"model.weights: required imagenet, none or the path of a weights file; "
            f"received {weights!r}, and there is no such file"
        )
    return path
