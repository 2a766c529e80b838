"""What a child's lines are worth, and which of them is the cause of its failure."""

from __future__ import annotations

import logging

import pytest

from flows.child_log import LONGEST, ChildLog

INFO, WARNING, ERROR = logging.INFO, logging.WARNING, logging.ERROR
TRACEBACK = """Traceback (most recent call last):
  File "tasks/train.py", line 9, in main
    fit()
    ^^^^^
tasks.odd.Unusual: it broke
Cleaning up"""
LISTED = """params.yaml is read
ParameterError: params.yaml has values that are not allowed:
  train.epochs: Input should be greater than 0; received 0
  train.seed: Input should be a valid integer
ERROR: failed to reproduce 'train': failed to run: python -m tasks.train, exited with 1"""


def levels(text):
    child = ChildLog()
    return [child.level(line) for line in text.splitlines()], child.cause


def test_the_cause_is_the_commands_last_error_with_what_it_lists():
    found, cause = levels(LISTED)
    assert found == [INFO, ERROR, ERROR, ERROR, None]
    assert cause == (
        "ParameterError: params.yaml has values that are not allowed: train.epochs: Input should "
        "be greater than 0; received 0 train.seed: Input should be a valid integer"
    )


def test_a_traceback_is_an_error_and_its_last_line_the_cause():
    found, cause = levels(TRACEBACK)
    assert found == [ERROR] * 5 + [INFO]
    assert cause == "tasks.odd.Unusual: it broke"


def test_dvcs_own_errors_count_but_not_that_it_failed_to_run_what_failed():
    found, cause = levels("ERROR: missing data 'source': data/raw\nERROR: failed to reproduce 'a'")
    assert found == [ERROR, None]
    assert cause == "ERROR: missing data 'source': data/raw"


def test_the_last_of_several_errors_is_the_cause():
    _, cause = levels("DataError: one\n  of it\nValueError: two\n")
    assert cause == "ValueError: two"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("Warning: no live metrics, the MLflow store does not answer", WARNING),
        ("/x/y.py:3: UserWarning: odd", WARNING),
        ("WARNING: Output 'x' is empty.", WARNING),
        ("2 labels may be wrong, an Error of whoever wrote them", INFO),
        ("Errors: 0", INFO),
        ("  train  625", INFO),
        ("KeyboardInterrupt", ERROR),
        ("sqlite3.OperationalError: database is locked", ERROR),
        ("Stage 'train' didn't change, skipping", None),
        ("\tgit add dvc.lock", None),
    ],
)
def test_each_line_has_its_level(line, level):
    assert ChildLog().level(line) == level


def test_what_comes_after_an_error_and_is_none_of_it_is_no_error():
    found, _ = levels("DataError: one\nGoing on\n  with a table")
    assert found == [ERROR, INFO, INFO]


def test_without_an_error_there_is_no_cause_and_a_long_one_is_cut():
    assert levels("all is well")[1] == ""
    assert len(levels("DataError: " + "x" * 2000)[1]) == LONGEST + 3
