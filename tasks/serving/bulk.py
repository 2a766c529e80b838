"""Answers about many files: on all cores, in parts that outlive a kill.

Which files make a part depends on their number alone, and a part is put in place at once: whoever
goes on after a kill makes those that are missing, and comes to the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.common import documents, labels
from tasks.common.errors import DataError
from tasks.common.progress import progress
from tasks.imaging.batching import one_thread_per_core
from tasks.serving.classifier import Classifier

# Of files in a part: more would leave the last core at work alone, or lose more at a kill.
SMALLEST, LARGEST, PARTS = 16, 256, 64
CHUNK = 32  # files whose pixels a thread holds


@dataclass(frozen=True)
class Bulk:
    """What is asked, and of whom.

    Attributes:
        classifier: with one thread per answer, as all cores are at work on files of their own.
        files: to answer about.
        identify: the id of a file, by its bytes.
        names: of the files, where the table is to have them.
    """

    classifier: Classifier
    files: Sequence[Path]
    identify: Callable[[bytes], str]
    names: Sequence[str] | None = None

    def schema(self) -> pa.Schema:
        """The columns of the answers. `row` counts the files from 1; where `reason` says why a file
        has no answer, those of the answer are empty.
        """
        task = self.classifier.task
        scores = [f"score_{name}" for name in labels.scored(task.kind, task.names)]
        text = dict.fromkeys(["image_id", "prediction"], pa.string())
        path = {} if self.names is None else {"path": pa.string()}
        answer = text | dict.fromkeys(scores, pa.float64()) | {"conformal_set": pa.string()}
        return pa.schema({"row": pa.int64()} | path | answer | {"reason": pa.string()})

    def make_parts(self, folder: Path) -> list[Path]:
        """Write the parts that `folder` lacks; all of them, in the order of the files.

        Raises:
            DataError: the memory is full.
        """
        size = min(max(len(self.files) // PARTS, SMALLEST), LARGEST)
        parts = {k: folder / f"{k:09d}.parquet" for k in range(0, len(self.files), size)}
        with one_thread_per_core() as pool:
            pending = {
                first: pool.submit(self._write, first, size, part)
                for first, part in parts.items()
                if not part.exists()
            }
            try:
                for number in progress(range(len(self.files)), "Predicting"):
                    if number in pending:
                        pending[number].result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return list(parts.values())

    def _write(self, first: int, size: int, part: Path) -> None:
        rows = range(first, min(first + size, len(self.files)))
        chunks = (self._answer(rows[k : k + CHUNK]) for k in range(0, len(rows), CHUNK))
        table = pa.Table.from_pylist([*chain.from_iterable(chunks)], self.schema())
        documents.replace(part, lambda draft: pq.write_table(table, draft))

    def _answer(self, rows: range) -> list[dict[str, Any]]:
        read = [self._read(row) for row in rows]
        usable = [(record, pixels) for record, pixels in read if pixels is not None]
        if usable:
            answers = self.classifier.answer(np.stack([pixels for _, pixels in usable]))
            columns, values = answers.columns.tolist(), answers.itertuples(index=False, name=None)
            for (record, _), answer in zip(usable, values, strict=True):
                record.update(zip(columns, answer, strict=True))
        return [record for record, _ in read]

    def _read(self, row: int) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
        """What is known of a file, and its pixels, if it has any."""
        record: dict[str, Any] = {"row": row + 1}
        if self.names is not None:
            record["path"] = self.names[row]
        try:
            content = self.files[row].read_bytes()
            record["image_id"] = self.identify(content)
            return record, self.classifier.pixels(content)
        except OSError as error:
            record["reason"] = f"cannot be read: {error.strerror or type(error).__name__}"
        except MemoryError:
            raise DataError(
                f"required: memory for the file of row {row + 1}; received: too little. Free some, "
                "then run again: it goes on from here"
            ) from None
        except decode_error(self.classifier) as error:
            record["reason"] = str(error)
        return record, None


def decode_error(classifier: Classifier) -> type[Exception]:
    """What a classifier raises at a file that it cannot read: packaged code has its own errors."""
    package = type(classifier).__module__.partition(".")[0]
    found: type[Exception] = import_module(f"{package}.common.errors").DecodeError
    return found


def join(parts: Sequence[Path], output: Path) -> None:
    """Put the table in place at once, as CSV or Parquet by the name of `output`."""
    if output.suffix == ".csv":
        documents.write_csv_parts(output, map(pd.read_parquet, parts))
        return

    def write(draft: Path) -> None:
        with pq.ParquetWriter(draft, pq.read_schema(parts[0])) as file:
            for part in parts:
                file.write_table(pq.read_table(part))

    documents.replace(output, write)


def unanswered(parts: Sequence[Path]) -> Iterator[tuple[int, str]]:
    """The rows without an answer, and why."""
    for part in parts:
        table = pd.read_parquet(part, columns=["row", "reason"]).dropna()
        yield from zip(table["row"], table["reason"], strict=True)
