"""Great Expectations at work: suites over tables, written as Data Docs, without anything sent."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import great_expectations as gx
import pandas as pd
from great_expectations.checkpoint import UpdateDataDocsAction
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.expectation import Expectation

SITE = "data_docs"


class Finding(NamedTuple):
    """What came of one expectation.

    Attributes:
        table: that it is about.
        says: what is expected.
        mend: what to do where it does not hold.
        passed: whether it holds.
        rows: the rows that break it, by the first column; empty where it is about all of them.
        observed: the value found where the expectation is about all rows, else None.
    """

    table: str
    says: str
    mend: str
    passed: bool
    rows: list[str]
    observed: float | None


def examine(
    tables: Mapping[str, pd.DataFrame], suites: Mapping[str, list[Expectation]], folder: Path
) -> list[Finding]:
    """Hold every table to its suite and write the Data Docs into `folder`, which must be empty."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = gx.get_context(project_config=_quiet(folder), mode="ephemeral")
        source = context.data_sources.add_pandas("medloop")
        return [
            finding
            for name, table in tables.items()
            for finding in _examine_one(context, source, name, table, suites[name])
        ]


def _quiet(folder: Path) -> DataContextConfig:
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve()),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    return DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        data_docs_sites={SITE: site},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )


def _examine_one(
    context: Any, source: Any, name: str, table: pd.DataFrame, suite: list[Expectation]
) -> list[Finding]:
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all rows")
    definition = gx.ValidationDefinition(
        name=name,
        data=batch,
        suite=context.suites.add(gx.ExpectationSuite(name, expectations=suite)),
    )
    index = str(table.columns[0])
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[context.validation_definitions.add(definition)],
        actions=[UpdateDataDocsAction(name="docs", site_names=[SITE])],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [index]},
    )
    outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": table})
    (validated,) = outcome.run_results.values()
    return [_finding(name, index, result) for result in validated.results]


def _finding(name: str, index: str, result: Any) -> Finding:
    config = result.expectation_config
    rows = [str(row[index]) for row in result.result.get("unexpected_index_list") or []]
    observed = result.result.get("observed_value")
    return Finding(name, config.description, config.meta["mend"], result.success, rows, observed)
