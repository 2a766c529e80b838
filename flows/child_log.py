"""The lines of a command's output: how much each matters, and which says why it failed."""

from __future__ import annotations

import logging
import re

# What DVC says at every stage; it tells nothing about this run, nor why a stage failed.
CHATTER = (
    "Generating lock file",
    "Updating lock file",
    "To track the changes with git",
    "git add ",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
    "Stage '",
    "'data/raw.dvc' didn't change",
    "Data and pipelines are up to date",
    "> python -m",
    "ERROR: failed to reproduce",
)
TRACEBACK = "Traceback (most recent call last):"
# `DataError: ...` of a command, `ERROR: ...` of DVC and pip.
ERROR = re.compile(r"[\w.]*(?:Error|Exception|Interrupt|ERROR)(?:: .*)?$")
WARNING = re.compile(r"(?:.*\b)?\w*(?:Warning|WARNING): ")
LONGEST = 500  # characters of a cause


class ChildLog:
    """Sorts the lines of one command as they come."""

    def __init__(self) -> None:
        self._cause: list[str] = []
        self._in_error = self._in_traceback = False

    def level(self, line: str) -> int | None:
        """How much a line matters, as `logging` counts; None: it tells nothing."""
        if self._in_error and line[:1].isspace():  # what an error lists, or frames of a traceback
            if not self._in_traceback:
                self._cause.append(line)
            return logging.ERROR
        ends_traceback, self._in_traceback = self._in_traceback, line == TRACEBACK
        told = not line.strip().startswith(CHATTER)
        self._in_error = told and bool(ends_traceback or self._in_traceback or ERROR.match(line))
        if self._in_error:
            self._cause = [] if self._in_traceback else [line]
            return logging.ERROR
        if not told:
            return None
        return logging.WARNING if WARNING.match(line) else logging.INFO

    @property
    def cause(self) -> str:
        """The last error, with what it lists, in one line; empty if none was told."""
        text = " ".join(" ".join(self._cause).split())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
