"""The history of a fit as a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tasks.common import documents
from tasks.networks.checkpoint import METRICS

COLUMNS = ["epoch", *METRICS]


def write(path: Path, history: list[dict[str, float]]) -> None:
    """Write one row per epoch, counted from 1; no epoch leaves the header."""
    rows = [{"epoch": epoch, **metrics} for epoch, metrics in enumerate(history, 1)]
    documents.write_csv(path, pd.DataFrame(rows, columns=COLUMNS), float_format="%.7g")


def read(path: Path) -> list[dict[str, float]]:
    """The metrics of each epoch."""
    table = pd.read_csv(path).drop(columns="epoch")
    return [{str(k): float(v) for k, v in row.items()} for row in table.to_dict("records")]
