"""What a version answered when it was judged, in its run: for the day when it no longer runs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tasks.statistics import Array

FOLDER, NAME = "gate", "scores.parquet"


def save(
    client: MlflowClient, run_id: str, images: pd.Series, scores: Array, classes: Sequence[str]
) -> None:
    """Keep the scores `(N, K)` of images, by their ids, in a run; they replace those before."""
    named = {f"score_{name}": scores[:, k] for k, name in enumerate(classes)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        pd.DataFrame({"image_id": images.to_numpy(), **named}).to_parquet(file, index=False)
        client.log_artifact(run_id, str(file), FOLDER)


def load(client: MlflowClient, run_id: str | None) -> pd.DataFrame | None:
    """The table, by image id; None where the run is gone or was judged before scores were kept."""
    if run_id is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = client.download_artifacts(run_id, f"{FOLDER}/{NAME}", folder)
        except (MlflowException, OSError):
            client.search_experiments(max_results=1)  # it is the store that is gone: that raises
            return None
        return pd.read_parquet(file).set_index("image_id")


def of_images(table: pd.DataFrame, images: pd.Series, classes: Sequence[str]) -> Array:
    """Scores `(N, K)` of images; NaN for those that the table lacks."""
    found = table.reindex(index=images, columns=[f"score_{name}" for name in classes])
    return np.asarray(found.to_numpy(float))
