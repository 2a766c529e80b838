"""The rule of the house: a file at the root of `tasks/` is run, what is imported has a room."""

import ast

import grimp
import pytest
from worlds.project import ROOT

RUN = sorted(file.stem for file in (ROOT / "tasks").glob("*.py") if file.stem != "__init__")
ROOMS = sorted(file.parent.name for file in (ROOT / "tasks").glob("*/__init__.py"))


def test_what_is_run_is_imported_by_nothing():
    graph = grimp.build_graph("tasks", "flows", "benchmarks", cache_dir=None)
    importers = {name: graph.find_modules_that_directly_import(f"tasks.{name}") for name in RUN}
    assert importers == {name: set() for name in RUN}


@pytest.mark.parametrize("name", RUN)
def test_what_is_run_can_be_run(name):
    assert '\nif __name__ == "__main__":\n    main()\n' in (ROOT / f"tasks/{name}.py").read_text()


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(room):
    assert ast.get_docstring(ast.parse((ROOT / f"tasks/{room}/__init__.py").read_text()))
