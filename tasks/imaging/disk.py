"""What the disk refuses to the folders of prepared images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.common.errors import DataError


@contextmanager
def storing(home: Path) -> Iterator[None]:
    """Turn what the disk refuses under `home` into an error that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{home} cannot be written or read ({error.strerror or error}): free space or fix "
            "the rights there, or point MEDLOOP_STATE at another disk, then run again: it goes "
            "on with the blocks that are whole"
        ) from error


def require_space(home: Path, needed: int) -> None:
    """Refuse at once what would fill the disk at the end.

    Args:
        home: where it is to be written.
        needed: bytes.

    Raises:
        DataError: less than that is free.
    """
    with storing(home):
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
    if needed > free:
        raise DataError(
            f"required: {needed / 1e9:,.2f} GB for prepared images in {home}; received: "
            f"{free / 1e9:,.2f} GB free. Free space, point MEDLOOP_STATE at another disk, or "
            "lower preprocess.size"
        )
