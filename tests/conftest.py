"""Fixtures that every room shares."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

import fast
import pytest
from worlds.project import ROOT, enter_workspace
from worlds.pull import LABELS, SOURCE, configure, image
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tasks import key
from tasks.common import paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import data_versions

# Prefect reads its home when it is imported; no test may write into the project's own.
_PREFECT = tempfile.TemporaryDirectory(prefix="prefect-")
atexit.register(_PREFECT.cleanup)
os.environ["PREFECT_HOME"] = _PREFECT.name
os.environ["MEDLOOP_STATE"] = str(Path(_PREFECT.name) / "state")

# Rooms whose tests share, or change in turn, one trained project that takes minutes to make. They
# come first, since a worker that is left with one of them at the end keeps the others waiting.
AS_ONE = ("pipeline", "model")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only what needs no TensorFlow")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        fast.begin()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """In place of a marker: to read a module's markers pytest would import it."""
    return True if config.getoption("--fast") and fast.leaves_out(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with such rooms."""
    items.sort(key=lambda item: item.path.parent.name not in AS_ONE)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Where several workers run, what they take in turn: the tests of a file, or of such a room."""
    return ByRoom(config, log)


class ByRoom(LoadScopeScheduling):
    """Tests that share a fixture go to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return file.parent.name if file.parent.name in AS_ONE else str(file)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace as the current folder, with the project's own params.yaml and dvc.yaml,
    and state, store and key of its own."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    enter_workspace(folder, monkeypatch)
    return folder


@pytest.fixture
def defaults() -> Params:
    """The project's own parameters."""
    return load(Params, ROOT / paths.PARAMS)


@pytest.fixture
def source(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images in two class folders, a key, and versions without DVC."""
    for number in range(4):
        image(f"{LABELS[number % 2]}/Smith_{number}.png", number)
    configure(pull__path=str(SOURCE), pull__source="folder", task__classes=list(LABELS))
    key.main()
    monkeypatch.setattr(data_versions, "has_remote", lambda: False)
    monkeypatch.setattr(data_versions, "restore", lambda remote, place=None: None)
    monkeypatch.setattr(
        data_versions, "save", lambda place=paths.OWN: place.version.write_text("a version")
    )
    return workspace
