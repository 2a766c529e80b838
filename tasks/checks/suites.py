"""Great Expectations at work: the suites of `gx/` over tables.

Nothing is sent, and the folder itself stays as people left it: the context lives in a copy. Its own
pages (Data Docs) are not made: they are blank without a network, and with one they load from others
and tell one of them of every look.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import great_expectations as gx
import pandas as pd
from great_expectations.exceptions import ExpectationNotFoundError
from great_expectations.expectations.registry import get_expectation_impl

from tasks.common.documents import read_json
from tasks.common.errors import ParameterError

LIMITS = ("min_value", "max_value", "value_set")


class Finding(NamedTuple):
    """What came of one expectation.

    Attributes:
        table: that it is about.
        says: what is expected.
        fix: what to do where it does not hold.
        severity: critical, or warning or info, which stop nothing.
        passed: whether it holds.
        rows: the rows that break it, by the first column; empty where it is about all of them.
        observed: the value found where the expectation is about all rows, else None.
        limits: what was allowed, such as `{"max_value": 0.05}`.
        report: the file under reports that says the same and more, where there is one.
    """

    table: str
    says: str
    fix: str
    severity: str
    passed: bool
    rows: list[str]
    observed: float | None
    limits: dict[str, Any]
    report: str | None


def examine(
    tables: Mapping[str, pd.DataFrame], limits: Mapping[str, Any], context: Path
) -> list[Finding]:
    """Hold every table to the suite of its name.

    Args:
        tables: by name, the name of a row in the first column.
        limits: what a `$PARAMETER` of the suites stands for.
        context: the folder of `great_expectations.yml` and `expectations/`.

    Raises:
        ParameterError: a suite is missing or malformed, or speaks of what its table does not have.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(scratch) / "gx"
        shutil.copytree(context, copy)
        for name in tables:
            _check(context / "expectations" / f"{name}.json", name)
        opened = gx.get_context(mode="file", context_root_dir=copy)
        source = opened.data_sources.add_pandas("medloop")
        return [
            finding
            for name, table in tables.items()
            for finding in _examine_one(opened, source, name, table, limits)
        ]


def _check(file: Path, name: str) -> None:
    """Hold a suite to its form: Great Expectations drops an expectation of a kind that it does not
    know without an error, and its messages say neither which file it is nor where.
    """
    form = f'{{"name": "{name}", "expectations": [..]}}'
    try:
        suite = read_json(file)
    except (OSError, ValueError) as error:
        raise ParameterError(f"{file}: required: JSON of the form {form}; {error}") from None
    if not isinstance(suite, dict) or suite.get("name") != name or not suite.get("expectations"):
        raise ParameterError(f"{file}: required: the form {form}; received: another")
    for count, expectation in enumerate(suite["expectations"], 1):
        if not isinstance(expectation, dict) or not expectation.get("description"):
            raise ParameterError(f"{file}: expectation {count} has no description; add one")
        try:
            get_expectation_impl(expectation.get("type"))
        except ExpectationNotFoundError:
            raise ParameterError(
                f"{file}: expectation {count} is of the type {expectation.get('type')!r}; "
                "required: one of Great Expectations' own, such as "
                "expect_column_values_to_be_between"
            ) from None


def _examine_one(
    context: Any, source: Any, name: str, table: pd.DataFrame, limits: Mapping[str, Any]
) -> list[Finding]:
    index = str(table.columns[0])
    try:
        checkpoint = _checkpoint(context, source, name, index)
        outcome = checkpoint.run(
            batch_parameters={"dataframe": table}, expectation_parameters=dict(limits)
        )
    except Exception as error:  # of many classes, all of them about what the suite says
        known = ", ".join(sorted(limits))
        raise ParameterError(
            f"gx/expectations/{name}.json cannot be used: {error}. A $PARAMETER is one of: {known}"
        ) from error
    (validated,) = outcome.run_results.values()
    return [_finding(name, index, result) for result in validated.results]


def _checkpoint(context: Any, source: Any, name: str, index: str) -> Any:
    suite = context.suites.get(name)
    suite.save()  # gives every expectation the id that a checkpoint asks for
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all rows")
    definition = gx.ValidationDefinition(name=name, data=batch, suite=suite)
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[context.validation_definitions.add(definition)],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [index]},
    )
    return context.checkpoints.add(checkpoint)


def _finding(name: str, index: str, result: Any) -> Finding:
    config, found = result.expectation_config, result.result
    meta = config.meta or {}
    if result.exception_info.get("raised_exception", True):
        raise ParameterError(
            f"gx/expectations/{name}.json: {config.description!r} cannot be looked at: "
            f"{_message(result.exception_info)}"
        )
    return Finding(
        table=name,
        says=config.description,
        fix=_fix(meta) or f"see gx/expectations/{name}.json",
        severity=str(getattr(config.severity, "value", config.severity)),
        passed=bool(result.success),
        rows=[str(row[index]) for row in found.get("unexpected_index_list") or []],
        observed=found.get("observed_value"),
        limits={key: config.kwargs[key] for key in LIMITS if config.kwargs.get(key) is not None},
        report=meta.get("report"),
    )


def _fix(meta: Mapping[str, str]) -> str | None:
    """What to do, by an expectation's own word; suites of earlier versions call it `mend`."""
    return meta.get("fix", meta.get("mend"))


def _message(information: Mapping[str, Any]) -> str:
    """What went wrong; where a metric failed, the information lies one level deeper."""
    if "exception_message" in information:
        return str(information["exception_message"])
    return "; ".join(sorted({str(raised["exception_message"]) for raised in information.values()}))
