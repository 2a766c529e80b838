"""Score image files with a packaged model, in a process that knows nothing else of the project.

    python -I score_version.py PACKAGE IMAGES ANSWERS

PACKAGE is the folder of the model, IMAGES a JSON list of [file, frame], and ANSWERS the
parquet file to write, one row per image. Run by its path, so that the preprocessing is that of the
package and never that of the repository.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd

CHUNK = 32
SECONDS_BETWEEN_LINES = 5.0


def main(package: str, images: str, answers: str) -> None:
    """Score every image of the list, in its order."""
    model = mlflow.pyfunc.load_model(package)
    wanted = json.loads(Path(images).read_text(encoding="utf-8"))
    parts, said = [], time.monotonic()
    for start in range(0, len(wanted), CHUNK):
        parts.append(model.predict(_rows(wanted[start : start + CHUNK])))
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            print(f"  {start + len(parts[-1])} of {len(wanted)} images", flush=True)
            said = time.monotonic()
    pd.concat(parts, ignore_index=True).to_parquet(answers)


def _rows(images: list[tuple[str, int]]) -> pd.DataFrame:
    contents = [Path(file).read_bytes() for file, _ in images]
    return pd.DataFrame({"image": contents, "frame": [frame for _, frame in images]})


if __name__ == "__main__":
    main(*sys.argv[1:])
