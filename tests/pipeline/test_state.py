"""Nothing in the state folder is needed, and nothing there is fatal: garbage in all its places."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from prefect.states import Completed
from worlds.pack import build, digest_of

from flows import processes, retraining
from tasks import pull
from tasks.common import errors, paths, servers
from tasks.common.paths import StateEntry
from tasks.imaging import pack
from tasks.intake import cohort, originals
from tasks.networks import keyed_files, tuning
from tasks.networks.checkpoint import Checkpoint
from tasks.networks.pass_files import PassFiles
from tasks.networks.trials import Trial
from tasks.registry import last_run, reports
from tasks.sources import Listing, archive


def packs():
    image_id = "0" * 64
    paths.RAW.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(f"{paths.RAW}/{image_id}.png", np.arange(400, dtype=np.uint8).reshape(20, 20))
    receipt, _ = build(pd.DataFrame({"image_id": [image_id], "path": [f"{image_id}.png"]}))
    assert digest_of(pack.open_pack()) == receipt["digest"]


def prefix():
    files = PassFiles("key", {"a": (2, 3)})
    with keyed_files.alone(files.folder, "key"):
        assert files.find() is None
        assert files.begin(spare=0) == 0
        files.write(slice(0, 2), [np.ones((2, 3), np.float16)])
        files.finish()
    assert files.find() is not None


def checkpoints():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam")
    checkpoint = Checkpoint("key")
    state = checkpoint.load(model)
    assert state.history == []
    checkpoint.save(model, state)
    checkpoint.remove()


def downloads():
    with zipfile.ZipFile("a.zip", "w") as made:
        made.writestr("normal/1.png", b"x")
    assert [file.name for file in archive.unpack(Path("a.zip")).rglob("*.png")] == ["1.png"]


def pull_details():
    pull._write_details(Listing([], details=["a"]), {})
    assert StateEntry.PULL_DETAILS.path.read_text() == "a\n"
    pull._write_details(Listing([]), {})


def originals_of_files():
    file = "a" * 64
    originals.note({file: ["normal/1.png"]}, {file})
    assert originals.where([file]) == [f"{file}  normal/1.png"]


def originals_of_external_files():
    file = "b" * 64
    originals.note({file: ["normal/1.png"]}, {file}, paths.OTHERS)
    assert originals.where([file]) == [f"{file}  normal/1.png"]


def servers_recorded():
    assert servers.recorded() == {}
    with servers.announced({"mlflow": "a", "prefect": "b"}):
        assert servers.recorded() == {"mlflow": "a", "prefect": "b"}
    servers.StateEntry.SERVERS.path.write_text("{}")


def prefect():
    """Prefect makes its home itself."""
    StateEntry.PREFECT.path.mkdir(parents=True, exist_ok=True)


def compiled():
    """JAX fills its cache itself."""
    StateEntry.COMPILED.path.mkdir(parents=True, exist_ok=True)


def searches():
    trial = Trial(0, {"train.l2": 0.5}, "pruned", {}, [0.25])
    kept = tuning.Kept("key")
    kept.add(trial)
    assert kept.trials() == [trial]


def flow_lock():
    with processes.only_flow():
        assert processes.end_orphans() == []


def raw_lock():
    with cohort.only_writer():
        pass


def remembered():
    assert last_run.published("a", "b") is None
    last_run.add(run_id="1")
    assert last_run.read()["run_id"] == "1"


def seconds_per_step():
    retraining._remember("pull", Completed(), 1.26)
    assert reports.seconds_per_step() == {"pull": 1.3}


READERS = {
    StateEntry.PACKS: packs,
    StateEntry.PREFIX: prefix,
    StateEntry.CHECKPOINTS: checkpoints,
    StateEntry.DOWNLOADS: downloads,
    StateEntry.PULL_DETAILS: pull_details,
    StateEntry.ORIGINALS: originals_of_files,
    StateEntry.EXTERNAL_ORIGINALS: originals_of_external_files,
    StateEntry.SERVERS: servers_recorded,
    StateEntry.PREFECT: prefect,
    StateEntry.COMPILED: compiled,
    StateEntry.TUNING: searches,
    StateEntry.FLOW_LOCK: flow_lock,
    StateEntry.RAW_LOCK: raw_lock,
    StateEntry.LAST_RUN: remembered,
    StateEntry.SECONDS: seconds_per_step,
}
FILES = (b"", b"\xff\xfe\0", b"[" * 10**5, b"[1]", b'{"run_id": {}}')


def test_every_entry_has_a_reader():
    assert set(READERS) == set(StateEntry)


@pytest.mark.parametrize("entry", StateEntry)
def test_garbage_in_place_of_an_entry(workspace, entry):
    for content in FILES:
        entry.path.parent.mkdir(parents=True, exist_ok=True)
        entry.path.write_bytes(content)
        errors.command(READERS[entry])()
        shutil.rmtree(paths.state())
    entry.path.mkdir(parents=True)
    for name in ("file", "file.json", "key.npy"):
        (entry.path / name).write_bytes(b"\xff")
    (entry.path / "folder").mkdir()
    (entry.path / "folder" / "images.parquet").write_bytes(b"\xff")
    errors.command(READERS[entry])()


def test_garbage_inside_of_all_that_was_written(workspace):
    """What a run has left, each file of it in bytes that mean nothing."""
    for reader in READERS.values():
        reader()
    files = [file for file in paths.state().rglob("*") if file.is_file()]
    assert len(files) > 5
    for file in files:
        file.write_bytes(b"\xff" * 200)
    for reader in READERS.values():
        errors.command(reader)()


MEMOS = ({}, {"run_id": 5}, {"run_id": None}, {"run_id": []})


@pytest.mark.parametrize("memo", MEMOS, ids=str)
def test_a_memo_of_another_version_is_none(workspace, memo):
    last_run.replace(result="a", experiment="b", store=paths.tracking_uri(), **memo)
    assert last_run.published("a", "b") is None
