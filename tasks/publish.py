"""Publish: record the result in MLflow, once.

The one stage with an effect: it has no outs, DVC runs it every time, and it does nothing where the
result is recorded already. It records only; `register` and `gate` belong to the flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.common import digests, mlflow_server, paths
from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import last_run
from tasks.registry.failures import in_one_line

if TYPE_CHECKING:
    from mlflow.entities import Run

    from tasks.registry.store import Store


@in_one_line()
def publish(settings: Params) -> str:
    """Record the result of the workspace; return the id of its run.

    The run belongs to the result from its first tag on, and is complete once it is FINISHED, so an
    interrupted publish goes on in the same run.

    Raises:
        RegistryError: a file of the result is missing, or the store does not answer.
        PrivacyError: an identifier of the source would be recorded.
    """
    result, experiment = digests.of_result(), settings.publish.experiment
    if known := last_run.published(result, experiment):
        print(f"Result {result[:8]} is recorded already: run {known}")
        return known
    from tasks.registry import runs
    from tasks.registry.store import open_experiment

    store = open_experiment(experiment)
    run = runs.find(store, result)
    if run is None or not runs.is_complete(run):
        run = _record(store, run or runs.adopt(store, result), settings)
    runs.end_abandoned(store, keep=run.info.run_id)
    last_run.replace(
        result=result,
        experiment=experiment,
        experiment_id=store.experiment_id,
        store=mlflow_server.address(paths.tracking_uri()),
        run_id=run.info.run_id,
        model_name=settings.publish.model_name,
    )
    print(f"Result {result[:8]} is recorded: run {run.info.run_id} ({run.info.run_name})")
    return str(run.info.run_id)


def _record(store: Store, run: Run, settings: Params) -> Run:
    """Fill the run; it ends as FINISHED, or as FAILED where an error ends it early."""
    import mlflow

    from tasks.registry import record

    with mlflow.start_run(run_id=run.info.run_id, log_system_metrics=False):
        record.write(store, run.info.run_id, settings)
    return store.client.get_run(run.info.run_id)


@command
def main() -> None:
    """`python -m tasks.publish`."""
    publish(load(Params))


if __name__ == "__main__":
    main()
