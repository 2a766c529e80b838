"""What the docstring of `common/errors.py` says of the project's exceptions, against the code."""

from __future__ import annotations

import ast
import builtins
import re

import pytest
from worlds.project import ROOT

from tasks.common import errors

ROOMS = ("tasks", "flows", "benchmarks")
BUILT_IN = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


@pytest.fixture(scope="module")
def defined():
    """The exceptions that the code defines, each with its base. Read, not imported: every module
    counts, and none of them starts TensorFlow.
    """
    bases = {}
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.bases:
                bases[node.name] = ast.unparse(node.bases[0]).rpartition(".")[2]
    return {name: bases[name] for name in bases if BUILT_IN & set(line_of(name, bases))}


def line_of(name, bases):
    """The class, its base, the base of that, and so on."""
    line = []
    while name and name not in line:
        line.append(name)
        name = bases.get(name)
    return line


def drawn():
    """The tree of the docstring, each exception with its base."""
    bases, line = {}, ["Exception"]
    for found in re.finditer(r"^([│├└─ ]*)(\w+)  ", errors.__doc__, re.MULTILINE):
        depth = 1 + len(found[1]) // 4
        bases[found[2]] = line[depth - 1]
        line[depth:] = [found[2]]
    return bases


def test_the_tree_is_complete(defined):
    below = {name for name in defined if "MedloopError" in line_of(name, defined)}
    assert drawn() == {name: defined[name] for name in below}


def test_every_other_exception_is_named(defined):
    assert set(re.findall(r"`(\w+Error)`", errors.__doc__)) == set(defined) - set(drawn())
