"""The package that a version is: the ONNX files with what was fitted for them, and the code that
runs them under a name of its own, so that several versions live in one process.

    serving/                      the files
    code/medloop_<digest>/        the modules behind `tasks.serving.pyfunc`
"""

from __future__ import annotations

import ast
from pathlib import Path

from tasks.common import closure, digests, paths

ENTRY = "tasks.serving.pyfunc"
OWN = ENTRY.partition(".")[0]
NAME_DIGITS = 12  # of the digest in the package's name


def write_code(folder: Path) -> str:
    """Write the modules into `folder`; return the name of the one that MLflow loads. The same code
    gives the same name.
    """
    files = closure.closure(ENTRY)
    sources = {closure.name_of(file): digests.of_file(file) for file in files}
    name = f"medloop_{digests.of_json(sources)[:NAME_DIGITS]}"
    for file in files:
        target = folder / name / Path(closure.name_of(file)).relative_to(OWN)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        target.write_bytes(renamed(content, name) if file.suffix == ".py" else content)
    return ENTRY.replace(OWN, name, 1)


def renamed(source: bytes, name: str) -> bytes:
    """A module of this project with its imports from the package `name` in place of `tasks`.

    Raises:
        ValueError: it has an import that cannot be renamed.
    """
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module):
            old, new = f"from {OWN}".encode(), f"from {name}".encode()
            lines[node.lineno - 1] = lines[node.lineno - 1].replace(old, new, 1)
        elif isinstance(node, ast.Import) and any(_is_ours(alias.name) for alias in node.names):
            raise ValueError(
                f"required: `from {OWN}... import ...`; received: an import in line "
                f"{node.lineno} that no other name fits into"
            )
    return b"".join(lines)


def _is_ours(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] == OWN


def loader(code: Path) -> str:
    """The module that MLflow loads of a folder that `write_code` wrote."""
    (package,) = code.iterdir()
    return ENTRY.replace(OWN, package.name, 1)


def digest(serving: Path, code: Path, loader: str) -> str:
    """The digest of a package: all of its files by name, and which module is loaded."""
    files = {
        f"{part}/{file.relative_to(folder).as_posix()}": digests.of_file(file)
        for part, folder in (("serving", serving), ("code", code))
        for file in folder.rglob("*")
        if file.is_file()
    }
    return digests.of_json({"files": files, "loader": loader})


def of_workspace() -> str:
    """The digest of the package that the stage `compress` left."""
    return digest(paths.SERVING, paths.PACKAGE_CODE, loader(paths.PACKAGE_CODE))
