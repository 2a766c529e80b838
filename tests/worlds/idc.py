"""Imaging Data Commons without a network: an index of its columns, and a client that fails."""

from __future__ import annotations

import types
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.sources import idc, transfer
from worlds.bad_server import Series


class FakeClient:
    """Stands in for idc-index's client: it writes files, and says nothing when it fails."""

    def __init__(self, series: list[Series]) -> None:
        self.series = {one.uid: one for one in series}
        self.mischief: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()

    def download_from_selection(
        self, downloadDir: str, seriesInstanceUID: list[str], dirTemplate: str, **_: Any
    ) -> None:
        assert dirTemplate == "%SeriesInstanceUID"  # the client's default holds the PatientID
        for uid in seriesInstanceUID:
            self.asked[uid] += 1
            planned = self.mischief.get(uid, [])
            self._write(Path(downloadDir) / uid, uid, planned.pop(0) if planned else "well")

    def _write(self, folder: Path, uid: str, mischief: str) -> None:
        if mischief == "nothing":
            return
        folder.mkdir()
        files = dict(enumerate(self.series[uid].files))
        if mischief == "a file missing":
            del files[0]
        if mischief == "a file cut":
            files[0] = files[0][:100]
        if mischief == "a file too many":
            files[99] = b""
        for number, content in files.items():
            (folder / f"{uid}-{number}.dcm").write_bytes(content)


def index_of(series: list[Series], path: Path, **changes: dict[str, object]) -> Path:
    """An index file in the columns of the real one, with `changes` by UID."""
    rows = [
        {
            "collection_id": "tiny_set",
            "analysis_result_id": None,
            **one.attributes,
            "instanceCount": len(one.files),
            "series_size_MB": sum(map(len, one.files)) / 1e6,
            "license_short_name": "CC BY 4.0",
            "source_DOI": "10.7937/tiny",
        }
        | changes.get(one.uid, {})
        for one in series
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


def installed(
    series: list[Series],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    **changes: dict[str, object],
) -> FakeClient:
    """The package with an index of these series in `folder`, and its client."""
    sources = [{"source_doi": "10.7937/TINY", "citation": "Tiny, T. (2020).\n Data of the Tiny"}]
    pd.DataFrame({"sources": [sources]}).to_parquet(folder / "collections.parquet")
    package = types.SimpleNamespace(
        IDC_INDEX_PARQUET_FILEPATH=index_of(series, folder / "index.parquet", **changes),
        INDEX_METADATA={"collections_index": {"parquet_filepath": folder / "collections.parquet"}},
    )
    fake = FakeClient(series)
    monkeypatch.setattr(idc, "_package", lambda: package)
    monkeypatch.setattr(idc, "client", lambda: fake)
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", 0.01)
    return fake
