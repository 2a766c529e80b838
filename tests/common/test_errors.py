"""What the docstring of `common/errors.py` says of the project's exceptions, against the code."""

from __future__ import annotations

import ast
import builtins
import errno
import os
import re

import pytest
from worlds.project import ROOT

from tasks.common import errors, paths

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


def said(capsys, main):
    with pytest.raises(SystemExit) as ended:
        errors.command(main)()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("number", sorted(errors.REFUSED | errors.IN_THE_WAY))
@pytest.mark.parametrize(
    ("file", "place"),
    [
        (".medloop/packs/ab/pixels.npy", ".medloop"),
        ("mlruns/ledger.jsonl", "mlruns"),
        ("data/mine/Smith^Jane.png", "data"),
        ("reports/report.html", "reports"),
        ("incoming/Smith^Jane.png", "the disk"),
        ("/home/Smith^Jane/x.png", "the disk"),
        (None, "the disk"),
        (3, "the disk"),
    ],
)
def test_what_the_disk_refuses_is_one_line_that_identifies_nobody(
    workspace, capsys, number, file, place
):
    def main():
        raise OSError(number, "Failed to open '/home/Smith^Jane'", file)

    line = said(capsys, main)
    where = place if place == "the disk" else str(workspace / place)
    assert f"required: {where} to be writable" in line
    assert f"received: {os.strerror(number)}. Fix: " in line
    assert "Smith" not in line


@pytest.mark.parametrize(
    "error", [FileNotFoundError(errno.ENOENT, "x"), ConnectionResetError(errno.ECONNRESET, "x")]
)
def test_any_other_error_of_the_system_is_a_fault_and_shown_whole(workspace, error):
    def main():
        raise error

    with pytest.raises(type(error)):
        errors.command(main)()


def test_a_file_in_place_of_the_state_folder(workspace, capsys):
    paths.state().write_text("")
    line = said(capsys, lambda: (paths.state() / "packs").mkdir(parents=True))
    assert f"required: {workspace}/.medloop to be writable; received: Not a directory" in line
    assert "set MEDLOOP_STATE to another folder" in line
