"""Batches sent to a Dask cluster: `preprocess.cluster` names its scheduler, such as
`tls://10.0.0.5:8786`.

The bytes of the files travel with a batch, so workers need no shared disk. A batch whose worker is
lost is sent again by the scheduler, which waits where no worker is left. Only so many are under way
as the workers can hold, so neither this process nor the scheduler ever holds more. Workers refuse
what they would prepare otherwise.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks.common.errors import DataError, ParameterError
from tasks.imaging.batching import (
    Batch,
    Outcome,
    Pending,
    Workers,
    made_with,
    prepare_batch,
    read_files,
)

if TYPE_CHECKING:
    from distributed import Client, Future

    from tasks.common.params.pixels import PixelSettings

PATIENCE_SECONDS = 30  # for the scheduler and its first worker
EVERY_SECONDS = 2.0
AHEAD = 2  # batches per thread of a worker: one at work, one to follow
ENCRYPTED = ("tls://", "wss://", "inproc://")  # the last one stays in this process
HOW = (
    "start them in a checkout of this commit with the environment of requirements.lock, "
    "`python -m distributed.cli.dask_scheduler` and "
    "`python -m distributed.cli.dask_worker <scheduler address>`, with the options and, for "
    "tls://, the certificate that the README gives"
)
"""How scheduler and workers are started: `python -m` puts the checkout on their path."""


@contextmanager
def workers(settings: PixelSettings, address: str) -> Iterator[Workers]:
    """The workers of the scheduler at `address`.

    Raises:
        ParameterError: dask.distributed is not installed.
        DataError: no scheduler or no worker answers, or the cluster is lost on the way.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ParameterError(
            "preprocess.cluster needs dask.distributed: `make setup` installs it; or set "
            "preprocess.cluster to null"
        ) from None
    if is_open(address):
        print(
            f"Warning: preprocess.cluster = {address} is not encrypted: images and code travel as "
            "they are, and whoever reaches the scheduler can have workers, and this machine, run "
            "what they like. Use tls:// as the README says",
            file=sys.stderr,
            flush=True,
        )
    try:
        client = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        found = client.run(find_spec, __package__.partition(".")[0]).values()
    except (OSError, TimeoutError, TypeError, ValueError) as error:  # no certificate: TypeError
        raise DataError(
            f"required: a scheduler with a worker at preprocess.cluster = {address}; received: "
            f"{type(error).__name__}; {HOW}"
        ) from error
    with client:
        if None in found:  # they would end without a word at the first batch
            raise DataError(f"workers at {address} do not find this project's code; {HOW}")
        yield _Cluster(client, settings, address)


def is_open(address: str) -> bool:
    """Whether a scheduler's address is neither encrypted nor on this machine alone."""
    if address.startswith(ENCRYPTED):
        return False
    host = urlsplit(address if "://" in address else f"//{address}").hostname
    try:
        return not ipaddress.ip_address(host or "").is_loopback
    except ValueError:  # a name
        return host != "localhost"


class _Cluster:
    def __init__(self, client: Client, settings: PixelSettings, address: str) -> None:
        self._client, self._settings, self._address = client, settings, address
        self._key = made_with(settings)
        self._ahead, self._asked = 1, -math.inf

    def submit(self, batch: Batch) -> Pending:
        files = read_files(batch)
        sent = self._client.submit(
            prepare_sent, batch, files, self._settings, self._key, pure=False
        )
        return _Sent(sent, self._address)

    def ahead(self) -> int:
        """Workers come and go, so they are counted anew every few seconds."""
        if time.monotonic() - self._asked > EVERY_SECONDS:
            self._ahead = max(AHEAD * sum(self._client.nthreads().values()), 1)
            self._asked = time.monotonic()
        return self._ahead


def prepare_sent(
    batch: Batch, files: dict[str, bytes], settings: PixelSettings, key: str
) -> Outcome:
    """What a worker does with a batch.

    Raises:
        DataError: its code or its libraries would give other pixels.
    """
    if made_with(settings) != key:
        raise DataError(
            f"the worker on {socket.gethostname()} has other code or other versions of its "
            f"libraries than this project; {HOW}"
        )
    return prepare_batch(batch, files, settings)


class _Sent:
    """A batch at work on the cluster."""

    def __init__(self, future: Future[Outcome], address: str) -> None:
        self._future, self._address = future, address

    def result(self) -> Outcome:
        from distributed import KilledWorker

        try:
            outcome: Outcome = self._future.result()
        except (OSError, TimeoutError, CancelledError, ImportError, KilledWorker) as error:
            raise DataError(
                f"the cluster at {self._address} lost a batch ({type(error).__name__}). Is it "
                f"still there? If not, {HOW}, then run again: blocks that are whole are kept"
            ) from error
        return outcome
