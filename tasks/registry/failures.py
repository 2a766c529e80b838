"""Failures of the MLflow store, in one line in place of the tracebacks of five libraries."""

from __future__ import annotations

import errno
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.common import mlflow_server, paths
from tasks.common.errors import RegistryError

LIBRARIES = ("mlflow", "requests", "sqlalchemy", "urllib3")  # told by name: importing takes seconds
# What a disk or its rights refuse; any other error of a file is not the store's.
OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
OF_NETWORK = ConnectionError | TimeoutError | socket.gaierror
LONGEST = 300
LOOK = "`python -m tasks.check_store` looks at it"
UNKNOWN, FORBIDDEN, HOST = "UNAUTHENTICATED", "PERMISSION_DENIED", "Invalid Host header"
STATUS = {401: UNKNOWN, 403: FORBIDDEN}  # of HTTP -> MLflow's code
ACCESS = {  # what a server refuses -> what fixes it
    UNKNOWN: "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to those of an account "
    "that it knows",
    FORBIDDEN: "Whoever administers that server gives your account the right EDIT on the "
    "experiment and the registered model, or an account with that right does this",
    HOST: "Whoever runs that server starts it with --allowed-hosts, by the name that "
    "MLFLOW_TRACKING_URI has for it",
}


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
        wanted = f"the MLflow store {mlflow_server.address(paths.tracking_uri())}"
        if refused := _refusal(error):
            wanted, advice = f"access to {wanted}", ACCESS[refused]
        raise RegistryError(f"required: {wanted}; received: {reason(error)}. {advice}") from error


def _refusal(error: Exception) -> str | None:
    """The key in `ACCESS` of what a server refuses, asked by MLflow or without it."""
    if HOST in str(error):
        return HOST
    status = getattr(getattr(error, "response", None), "status_code", 0)
    code = getattr(error, "error_code", None)
    return code if code in ACCESS else STATUS.get(status)


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
    return mlflow_server.address(said.strip().partition("\n")[0][:LONGEST])
