"""Which code a stage depends on, against another way to find it (grimp), and case by case."""

import grimp
import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT

from tasks.common import closure

STAGES = [name for name in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"] if name != "code"]


@pytest.fixture(scope="module")
def imports():
    graph = grimp.build_graph("tasks", cache_dir=None, exclude_type_checking_imports=True)
    for file in closure.WITHOUT_EFFECT:
        graph.remove_module(file.removesuffix(".py").replace("/", "."))
    return graph


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_of_a_stage_is_every_module_that_it_imports(imports, stage):
    names = {f"tasks.{stage}"} | imports.find_upstream_modules(f"tasks.{stage}")
    packages = {name.rpartition(".")[0] for name in names} - {""}
    code = {name for name in closure.digests_behind(f"tasks.{stage}") if name.endswith(".py")}
    assert code == {file_of(name) for name in names | packages}


def file_of(module):
    base = module.replace(".", "/")
    return f"{base}/__init__.py" if (ROOT / base).is_dir() else f"{base}.py"


def test_what_has_no_effect_is_there():
    assert all((ROOT / file).is_file() for file in closure.WITHOUT_EFFECT)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write files of a small project and find the code behind one of its modules."""
    monkeypatch.setattr(closure, "ROOT", tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").write_text("")
    for cached in (closure._files, closure._imports):
        cached.cache_clear()

    def behind(module, without=(), **files):
        for name, content in files.items():
            path = tmp_path / "tasks" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        found = closure.closure(f"tasks.{module}", without)
        return {closure.name_of(path).removeprefix("tasks/") for path in found} - {"__init__.py"}

    yield behind
    for cached in (closure._files, closure._imports):
        cached.cache_clear()


def test_imports_count_wherever_they_stand_and_however_they_are_written(project):
    found = project(
        "a",
        a_py="import os\nfrom tasks import b\ndef f():\n    from tasks.c import x\n",
        b_py="import tasks.d\n",
        c_py="x = 1\n",
        d_py="from tasks import a\n",
        e_py="",
    )
    assert found == {"a.py", "b.py", "c.py", "d.py"}


def test_an_import_for_type_checkers_alone_does_not_count(project):
    text = "if TYPE_CHECKING:\n    from tasks import b\nelse:\n    from tasks import c\n"
    assert project("a", a_py=text, b_py="", c_py="") == {"a.py", "c.py"}


def test_templates_count_with_the_package_that_they_lie_in(project):
    files = {"pages__page_html_j2": "<p>", "pages__x_py": "", "other__y_html_j2": "<p>"}
    (closure.ROOT / "tasks/pages").mkdir()
    (closure.ROOT / "tasks/pages/__init__.py").write_text("")
    found = project("a", a_py="from tasks import pages\n", **files)
    assert found == {"a.py", "pages/__init__.py", "pages/page.html.j2"}


def test_what_is_left_out_is_not_followed(project):
    files = {"a_py": "from tasks import b, c\n", "b_py": "from tasks import d\n", "d_py": ""}
    assert project("a", without=["tasks/b.py"], **files, c_py="") == {"a.py", "c.py"}


def test_digests_follow_the_content(project, monkeypatch):
    project("a", a_py="from tasks import b\n", b_py="x = 1\n")
    first = closure.digests_behind("tasks.a")
    (closure.ROOT / "tasks/b.py").write_text("x = 2\n")
    second = closure.digests_behind("tasks.a")
    assert {name for name in first if first[name] != second[name]} == {"tasks/b.py"}
