import ast
import sys
from importlib import metadata

from tasks.registry import package


def test_the_package_holds_what_the_model_imports_and_no_more():
    names = {path.relative_to(package.PROJECT).as_posix() for path in package.code_files()}
    assert {
        "__init__.py",
        "imaging/prepare.py",
        "imaging/__init__.py",
        "networks/files.py",
    } <= names
    assert not any(name.startswith(("registry", "sources", "publish", "train")) for name in names)


def test_the_requirements_name_every_library_that_the_code_imports():
    found = metadata.packages_distributions()
    imported = {
        name.partition(".")[0]
        for file in (package.ENTRY, *package.code_files())
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _names(node)
    }
    outside = imported - set(sys.stdlib_module_names) - {"tasks"}
    for module in outside:
        owners = {name.lower().replace(".", "-") for name in found[module]}
        assert owners & set(package.REQUIREMENTS), f"{module} of {owners} is not required"


def _names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
