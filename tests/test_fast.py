"""The fast set stays fast: a test that needs TensorFlow fails in it and is told where to go."""

import subprocess
import sys

import fast
import pytest
from worlds.project import ROOT, environment


def test_what_is_left_out_exists():
    assert [name for name in fast.LEFT_OUT if not (fast.TESTS / name).exists()] == []


@pytest.mark.parametrize("name", sorted(fast.REFUSED))
def test_an_import_is_refused_at_its_line(name):
    code = f"import fast; fast.begin(); import {name}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=str(fast.TESTS)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"an import of {name}. " in done.stderr


@pytest.mark.parametrize("name", sorted(fast.REFUSED))
def test_what_is_imported_before_is_refused_too(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(pytest.UsageError, match="benchmarks, compression"):
        fast.begin()


def test_other_imports_are_not_touched():
    assert fast.NoTensorFlow.find_spec("json") is None
