"""Which code a result depends on: what a module imports, and what that imports in turn.

Found by reading the sources from a module on, so nothing needs to keep a list: DVC (stage `code`),
the keys of what the state folder stores, and the packaged model all ask here.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import tasks
from tasks.common import digests

ROOT = Path(tasks.__file__).resolve().parent.parent
# Imports that no result hangs on, each with the reason. They are not followed.
WITHOUT_EFFECT = {
    "tasks/common/errors.py": "a stage that fails has no result, however it words that",
    "tasks/common/paths.py": "dvc.yaml names each file too: one at another place is another stage",
    "tasks/common/progress.py": "it shows how far a loop has come",
    "tasks/registry/live_runs.py": "it shows epochs while they are trained; publish reads the outs",
}


def closure(module: str, without: Collection[str] = ()) -> list[Path]:
    """The files behind a module, itself included: modules, the packages around them, and what else
    lies in these packages, such as templates.

    Imports for type checkers alone do not count, those inside functions do.

    Args:
        module: its dotted name, such as `tasks.train`.
        without: files that are left out with all that only they import, relative to the project.
    """
    found: set[Path] = set()
    waiting = set(_files(module))
    while waiting:
        file = waiting.pop()
        found.add(file)
        for imported in map(_files, _imports(file)):
            if not any(name_of(path) in without for path in imported):
                waiting |= imported - found
    return sorted(found)


def libraries(module: str) -> set[str]:
    """The top-level names that the files behind a module import, this project's own left out."""
    names = {name for file in closure(module) for name in _imports(file)}
    return {name.partition(".")[0] for name in names} - {tasks.__name__}


def digests_behind(module: str) -> dict[str, str]:
    """The digest of each file that can change what `module` computes, by its name."""
    return {
        name_of(file): digests.of_file(file) for file in closure(module, without=WITHOUT_EFFECT)
    }


def name_of(file: Path) -> str:
    """A file's name relative to the project, the same on every machine."""
    return file.relative_to(ROOT).as_posix()


@cache
def _imports(file: Path) -> frozenset[str]:
    """The dotted names that a module imports, of this project or not."""
    if file.suffix != ".py":
        return frozenset()
    return frozenset(_named(ast.parse(file.read_text(encoding="utf-8"))))


def _named(tree: ast.AST) -> Iterator[str]:
    if isinstance(tree, ast.ImportFrom) and tree.module:
        yield from (f"{tree.module}.{alias.name}" for alias in tree.names)
    elif isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    for child in _run(tree):
        yield from _named(child)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """What is run of a statement: of `if TYPE_CHECKING` the other branch."""
    test = getattr(tree, "test", None)
    if isinstance(tree, ast.If) and isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
        yield from tree.orelse
    else:
        yield from ast.iter_child_nodes(tree)


@cache
def _files(module: str) -> frozenset[Path]:
    """The file of a module of this project, and those of the packages around it; none if it is
    another's, or no module but a name in one.
    """
    parts = module.split(".")
    if parts[0] != tasks.__name__:
        return frozenset()
    found: set[Path] = set()
    for end in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:end])
        if base.with_suffix(".py").is_file():
            found.add(base.with_suffix(".py"))
        elif (base / "__init__.py").is_file():
            found |= {base / "__init__.py", *_beside(base)}
    return frozenset(found)


def _beside(package: Path) -> Iterator[Path]:
    """The files of a package that are no code."""
    yield from (file for file in package.iterdir() if file.is_file() and file.suffix != ".py")
