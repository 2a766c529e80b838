"""Images in batches: what a thread, or a worker of a cluster, prepares at once."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cv2
import imagecodecs
import numpy as np
import pydicom

from tasks.common import closure, digests
from tasks.common.errors import DataError, DecodeError
from tasks.imaging.description import describe
from tasks.imaging.levels import Pixels
from tasks.imaging.preparation import prepare
from tasks.imaging.resizing import without_bars

if TYPE_CHECKING:
    from tasks.common.params.pixels import PixelSettings

PIXEL_CODE = ("tasks.imaging.preparation", "tasks.imaging.description")  # and what they import
MOST_IMAGES = 32
# Of files and prepared pixels: more would leave the last thread at work alone.
MOST_BYTES = 2_000_000
AHEAD = 4  # batches per core: one at work, others for while their outcomes are written

Batch = list[tuple[str, str]]  # image_id, file


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        facts: columns, one entry per image that can be used; none without one.
        pixels: of those, `(n, H, W, C)`.
        reasons: why the others cannot, by `image_id`.
    """

    facts: dict[str, list[Any]]
    pixels: Pixels
    reasons: dict[str, str]


class Pending(Protocol):
    """A batch at work."""

    def result(self) -> Outcome:
        """Wait for what became of it."""


class Workers(Protocol):
    """Who prepares batches."""

    def submit(self, batch: Batch) -> Pending:
        """Begin a batch."""

    def ahead(self) -> int:
        """How many batches may be under way."""


def image_shape(settings: PixelSettings) -> tuple[int, int, int]:
    """Height, width and channels of a prepared image."""
    height, width = settings.size
    return height, width, 1 if settings.color == "grey" else 3


def made_with(settings: PixelSettings) -> str:
    """The digest of all that decides the pixels of a file: settings, code and libraries."""
    return digests.of_json([settings.plain(), *_code_and_libraries()])


@lru_cache
def _code_and_libraries() -> list[Any]:
    code = [closure.digests_behind(module) for module in PIXEL_CODE]
    return [code, [module.__version__ for module in (cv2, imagecodecs, np, pydicom)]]


def in_batches(images: Iterable[tuple[str, str, int]], settings: PixelSettings) -> Iterator[Batch]:
    """Cut images (`image_id`, path, bytes of the file) into batches, in their order."""
    batch: Batch = []
    held = 0
    prepared = int(np.prod(image_shape(settings)))
    for image_id, path, size in images:
        again = bool(batch) and batch[-1][1] == path  # a further frame
        needed = prepared + (0 if again else size)
        if batch and (len(batch) == MOST_IMAGES or held + needed > MOST_BYTES):
            yield batch
            batch, held, needed = [], 0, prepared + size
        batch.append((image_id, path))
        held += needed
    if batch:
        yield batch


def read_files(batch: Batch) -> dict[str, bytes]:
    """The bytes of a batch's files by their path.

    Raises:
        DataError: a file cannot be read.
    """
    return {path: _read(path) for path in dict.fromkeys(path for _, path in batch)}


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)  # pathlib takes twice as long, on several threads
        try:
            return _content(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}): fix the rights of its folder, "
            "or bring lost files back with `dvc checkout`, then run again"
        ) from None


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    content = os.read(descriptor, size)
    while len(content) < size and (more := os.read(descriptor, size - len(content))):
        content += more  # past the 2 GB that Linux reads at once
    return content


def prepare_batch(batch: Batch, files: dict[str, bytes], settings: PixelSettings) -> Outcome:
    """Prepare every image of a batch from the bytes of its files.

    Raises:
        DataError: the memory is full. That is nothing against the image.
    """
    facts: dict[str, list[Any]] = {name: [] for name in ("image_id", "height", "width", "colored")}
    reasons: dict[str, str] = {}
    pixels = np.empty((len(batch), *image_shape(settings)), np.uint8)
    for image_id, path in batch:
        frame = image_id.partition("-")[2]
        try:
            made = prepare(files[path], settings, int(frame) if frame else None)
        except DecodeError as error:
            reasons[image_id] = str(error)
            continue
        except MemoryError:
            raise DataError(
                f"required: memory for the image {image_id}; received: too little. Free some, or "
                "leave the image out (`python -m tasks.pull --exclude` and this id; `--where` says "
                "which file it is), then run again: no image is prepared twice"
            ) from None
        pixels[len(facts["image_id"])] = made.pixels
        row = (image_id, made.height, made.width, made.colored)
        for column, value in zip(facts.values(), row, strict=True):
            column.append(value)
    pixels = pixels[: len(batch) - len(reasons)]
    if not len(pixels):
        return Outcome({}, pixels, reasons)
    shapes = zip(facts["height"], facts["width"], strict=True)
    pictures = [
        without_bars(image, shape, settings.fit)
        for image, shape in zip(pixels, shapes, strict=True)
    ]
    return Outcome(facts | describe(pixels, pictures), pixels, reasons)


class _Threads:
    """One thread per core: OpenCV and zlib release the interpreter."""

    def __init__(self, pool: ThreadPoolExecutor, settings: PixelSettings) -> None:
        self._pool, self._settings = pool, settings

    def submit(self, batch: Batch) -> Pending:
        return self._pool.submit(_prepare_files, batch, self._settings)

    def ahead(self) -> int:
        return AHEAD * cores()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _prepare_files(batch: Batch, settings: PixelSettings) -> Outcome:
    return prepare_batch(batch, read_files(batch), settings)


@contextmanager
def one_thread_per_core() -> Iterator[ThreadPoolExecutor]:
    """Threads for images of their own; warnings of single images, which may quote what identifies,
    are not shown.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one image per thread
    try:
        with ThreadPoolExecutor(cores()) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of single images would undo one another
            yield pool
    finally:
        cv2.setNumThreads(before)


@contextmanager
def threads(settings: PixelSettings) -> Iterator[Workers]:
    """Threads of this process."""
    with one_thread_per_core() as pool:
        yield _Threads(pool, settings)


def in_order(workers: Workers, batches: Iterable[Batch]) -> Iterator[Outcome]:
    """What becomes of each batch, in their order, with `workers.ahead()` of them under way."""
    under_way: deque[Pending] = deque()
    for batch in batches:
        under_way.append(workers.submit(batch))
        while len(under_way) >= workers.ahead():
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
