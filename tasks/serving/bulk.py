"""Answers about many files: on all cores, in parts that outlive a kill.

Which files make a part depends on their number alone, and a part is put in place at once: whoever
goes on after a kill makes those that are missing, and comes to the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.common import documents, labels
from tasks.common.errors import DataError
from tasks.common.progress import progress
from tasks.imaging.batching import one_thread_per_core
from tasks.serving.classifier import Classifier

PARTS, LARGEST = 128, 256  # parts at least, where there are so many files; files of one
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

    def types(self) -> dict[str, str]:
        """The columns of the answers. `row` counts the files from 1; where `reason` says why a file
        has no answer, those of the answer are empty.
        """
        task = self.classifier.task
        scores = [f"score_{name}" for name in labels.scored(task.kind, task.names)]
        named = ["path"] if self.names is not None else []
        text = [*named, "image_id", "prediction", "conformal_set", "reason"]
        ordered = [*named, "image_id", "prediction", *scores, "conformal_set", "reason"]
        return {"row": "int64"} | {x: "str" if x in text else "float64" for x in ordered}

    def make_parts(self, folder: Path) -> list[Path]:
        """Write the parts that `folder` lacks; all of them, in the order of the files.

        Raises:
            DataError: the memory is full.
        """
        size = min(max(len(self.files) // PARTS, 1), LARGEST)
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
        chunks = [self._answer(rows[k : k + CHUNK]) for k in range(0, len(rows), CHUNK)]
        documents.replace(part, lambda draft: pd.concat(chunks).to_parquet(draft, index=False))

    def _answer(self, rows: range) -> pd.DataFrame:
        read = [self._read(row) for row in rows]
        known = pd.DataFrame(read, index=rows, columns=["image_id", "pixels", "reason"])
        known["row"] = known.index + 1
        if self.names is not None:
            known["path"] = [self.names[row] for row in rows]
        usable = known.loc[known["reason"].isna(), "pixels"]
        if len(usable):
            answers = self.classifier.answer(np.stack(usable.tolist()))
            known = known.join(answers.set_axis(usable.index))
        types = self.types()
        return known.reindex(columns=list(types)).astype(types)

    def _read(self, row: int) -> tuple[str | None, NDArray[np.uint8] | None, str | None]:
        """The id of a file and its pixels, or why it has none."""
        image_id = None
        try:
            content = self.files[row].read_bytes()
            image_id = self.identify(content)
            return image_id, self.classifier.pixels(content), None
        except OSError as error:
            return image_id, None, f"cannot be read: {error.strerror or type(error).__name__}"
        except MemoryError:
            raise DataError(
                f"required: memory for the file of row {row + 1}; received: too little. Free some, "
                "then run again: it goes on from here"
            ) from None
        except decode_error(self.classifier) as error:
            return image_id, None, str(error)


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
