"""Programs that Debian has and PyPI has not: where one is missing, the tests that need it skip."""

from __future__ import annotations

import os

import pytest

REQUIRED = "TESTS_REQUIRE"  # in the environment: names of programs whose tests must not skip


def needs(name: str, path: object) -> pytest.MarkDecorator:
    """A mark of tests that need a program, which was found at `path`, if anywhere."""
    required = name in os.environ.get(REQUIRED, "").split()
    return pytest.mark.skipif(not path and not required, reason=f"{name} is not installed")
