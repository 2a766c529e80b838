"""The head of the ledger, copied to MLflow wherever a verdict or a promotion is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.registry import ledger, model_versions, witness

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

WHERE = "MLflow"


def copy(client: MlflowClient, version: ModelVersion) -> str:
    """Write the head on a version; return it."""
    head = ledger.head()
    client.set_model_version_tag(version.name, version.version, witness.TAG, head)
    return head


def hold(client: MlflowClient, name: str) -> list[str]:
    """Hold the ledger to the copies on the versions; returns them.

    Raises:
        RegistryError: as of `witness.hold`.
    """
    tags = (version.tags.get(witness.TAG) for version in model_versions.every(client, name))
    copies = [copy for copy in tags if copy]
    witness.hold([entry.hash for entry in ledger.read()], copies, WHERE)
    return copies


def hold_to_runs(client: MlflowClient) -> list[str]:
    """The same with the copies on runs, those of deleted versions too.

    Raises:
        RegistryError: as of `witness.hold`.
    """
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{witness.TAG}` != ''")
    copies = [run.data.tags[witness.TAG] for run in runs]
    witness.hold([entry.hash for entry in ledger.read()], copies, WHERE)
    return copies
