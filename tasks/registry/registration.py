"""A version of the registered model for the result that was recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from tasks.common import digests
from tasks.common.errors import RegistryError
from tasks.registry import last_run, model_versions, runs, sbom
from tasks.registry.failures import in_one_line
from tasks.registry.store import Store, open_experiment

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from tasks.common.params.whole import Params

# What a version says for good about the package that it holds.
IDENTITY = (model_versions.PACKAGE, model_versions.NETWORK, sbom.TAG)
# What a version says about the newest result that holds its model.
REPEATED = ("result.digest", "data.digest", "test.digest", "git.commit", "git.dirty")


@in_one_line()
def register(settings: Params) -> ModelVersion:
    """Give the model of the workspace's result a version, or point the version it has to the
    result's run.

    Raises:
        RegistryError: the result is not in MLflow, or the store does not answer.
    """
    store = open_experiment(settings.publish.experiment)
    name = settings.publish.model_name
    run = _published_run(store)
    digest = model_versions.digest_in(run.data.tags)
    version = model_versions.of_digest(store.client, name, digest)
    known = version is not None
    version = version or _create(store, name, run)
    tags = {tag: run.data.tags[tag] for tag in REPEATED if tag in run.data.tags}
    for tag, value in (tags | {"run_id": run.info.run_id}).items():
        store.client.set_model_version_tag(name, version.version, tag, value)
    last_run.add(model_name=name, version=int(version.version))
    said = f"the same package again, first of run {version.run_id}" if known else "new"
    print(f"{name} version {version.version}: {said}")
    return version


def _published_run(store: Store) -> Run:
    run = runs.find(store, digests.of_result())
    if run is None or not runs.is_complete(run):
        raise RegistryError(
            "required: the workspace's result in MLflow; received: none. "
            "`dvc repro publish` records it"
        )
    return run


def _create(store: Store, name: str, run: Run) -> ModelVersion:
    model = runs.model_id(store, run.info.run_id)
    if model is None:
        raise RegistryError(
            f"required: the model of run {run.info.run_id}; received: none, it was deleted. "
            "Delete the run too, and `dvc repro publish` records both anew"
        )
    try:
        store.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = store.client.create_model_version(
        name,
        f"models:/{model}",
        run.info.run_id,
        tags={tag: run.data.tags[tag] for tag in IDENTITY if tag in run.data.tags},
        model_id=model,
    )
    link = json.dumps([{"name": name, "version": version.version}])
    store.client.set_logged_model_tags(model, {"mlflow.modelVersions": link})
    return version
