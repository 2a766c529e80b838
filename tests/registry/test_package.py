import ast
import sys
from importlib import metadata

from tasks.common.closure import name_of
from tasks.registry import package


def test_the_package_holds_what_the_model_imports_and_no_more():
    names = {name_of(path) for path in package.code_files()}
    assert {
        "tasks/__init__.py",
        "tasks/common/errors.py",
        "tasks/imaging/preparation.py",
        "tasks/imaging/__init__.py",
        "tasks/networks/files.py",
    } <= names
    assert "tasks/registry/pyfunc_model.py" not in names
    further = ("tasks/registry/", "tasks/sources/", "tasks/publish", "tasks/train")
    assert not any(name.startswith(further) for name in names - {"tasks/registry/__init__.py"})


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
