"""Failures of the MLflow store, in one line in place of the tracebacks of five libraries."""

from __future__ import annotations

import errno
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.common import paths
from tasks.common.errors import RegistryError

LIBRARIES = ("mlflow", "requests", "sqlalchemy", "urllib3")  # told by name: importing takes seconds
# What a disk or its rights refuse; any other error of a file is not the store's.
OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
OF_NETWORK = ConnectionError | TimeoutError | socket.gaierror
LONGEST = 300
LOOK = "`python -m tasks.check_store` looks at it"
PASSWORD = re.compile(r"//[^/@\s]+@")


@contextmanager
def in_one_line(advice: str = LOOK) -> Iterator[None]:
    """Raise what the store raises as an error of one line that ends in `advice`.

    Raises:
        RegistryError: the store does not answer, or refuses.
    """
    try:
        yield
    except Exception as error:
        if not _is_of_store(error):
            raise
        raise RegistryError(
            f"required: the MLflow store {address(paths.tracking_uri())}; received: "
            f"{reason(error)}. {advice}"
        ) from error


def address(uri: str) -> str:
    """A tracking URI without the password that it may hold."""
    return PASSWORD.sub("//", uri)


def _is_of_store(error: BaseException) -> bool:
    """Also where the driver of a database or of a bucket is not installed."""
    if isinstance(error, OF_NETWORK | sqlite3.Error | ModuleNotFoundError):
        return True
    library = type(error).__module__.partition(".")[0]
    of_disk = isinstance(error, OSError) and error.errno in OF_DISK
    return library in LIBRARIES or of_disk


def reason(error: BaseException) -> str:
    """What the system or the database said at the bottom of it all, else the error's first line."""
    said = str(error)
    below: BaseException | None = error
    while below is not None:
        if type(below).__module__ in ("builtins", "socket") and isinstance(below, OSError):
            said = below.strerror or str(below)
        elif isinstance(below, sqlite3.Error):
            said = str(below)
        below = below.__cause__ or below.__context__
    return PASSWORD.sub("//", said.strip().partition("\n")[0][:LONGEST])
