"""A tiny folder as a source: what the tests of pull, of its rooms and of withdrawal share."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tasks import pull
from tasks.common import digests, editing, manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort as tables
from tasks.privacy.pseudonyms import Pseudonyms, load_key
from tasks.pull import PullSummary

SOURCE, ELSEWHERE = Path("source"), Path("elsewhere")
LABELS = ("sick", "well")


def image(name: str, seed: int, source: Path = SOURCE) -> None:
    """A PNG of its own at the source."""
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 16), np.uint8)
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(source / name), pixels)


def broken(name: str) -> None:
    """A PNG that cannot be parsed."""
    (SOURCE / name).write_bytes(b"\x89PNG\r\n\x1a\n Mrs Smith " + name.encode())


def cohort() -> pd.DataFrame:
    """The rows of files."""
    return tables.present(manifest.read(paths.COHORT, manifest.COHORT))


def external() -> pd.DataFrame:
    """The rows of external files."""
    return tables.present(manifest.read(paths.OTHERS.cohort, manifest.COHORT))


def tree() -> dict[str, str]:
    files = (path for path in sorted(paths.RAW.rglob("*")) if path.is_file())
    return {path.as_posix(): digests.of_file(path) for path in files}


def file_id(path: Path) -> str:
    """The id of a file at the source."""
    return Pseudonyms(load_key(load(Params))).image(digests.of_file(path))


def unkey() -> None:
    """Make `data/raw` as it was written before ids were keyed: they were the digests of files."""
    plain = {file_id(file): digests.of_file(file) for file in SOURCE.rglob("*.*")}

    def before(name: str) -> str:
        return re.sub("[0-9a-f]{64}", lambda keyed: plain.get(keyed[0], keyed[0]), name)

    table = manifest.read(paths.COHORT, manifest.COHORT)
    for path in table["path"].dropna().unique():
        name = before(Path(path).name)
        (paths.RAW / name[:2]).mkdir(exist_ok=True)
        (paths.RAW / path).rename(paths.RAW / name[:2] / name)
    names = table["path"].map(lambda path: before(Path(path).name), na_action="ignore")
    table["path"] = names.str[:2] + "/" + names
    table["image_id"] = table["image_id"].map(before)
    tables.write(table, load(Params).deid.key_id)
    if paths.WITHDRAWN.exists():
        paths.WITHDRAWN.write_text(before(paths.WITHDRAWN.read_text()))


def run() -> PullSummary:
    return pull.pull(load(Params))


def configure(**values: object) -> None:
    editing.set_values(paths.PARAMS, {name.replace("__", "."): v for name, v in values.items()})
