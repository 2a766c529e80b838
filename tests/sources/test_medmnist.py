"""MedMNIST sets: from a local file and from a server that misbehaves."""

from __future__ import annotations

import hashlib
import pickle
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from worlds.bad_server import BadServer, serving
from worlds.sources import pull_of

from tasks.common.errors import SourceError
from tasks.common.paths import StateEntry
from tasks.imaging.decoding import decode
from tasks.imaging.raster_cleaning import rewrite
from tasks.sources import Listing, medmnist, npz, transfer
from tasks.sources.medmnist_sets import SETS

IMAGES = {"train": 7, "val": 3, "test": 5}


def make_npz(
    path: Path, classes: int = 2, side: int = 28, rgb: bool = False, **arrays: Any
) -> Path:
    rng = np.random.default_rng(3)
    values: dict[str, np.ndarray] = {}
    for split, count in IMAGES.items():
        shape = (count, side, side, 3) if rgb else (count, side, side)
        values[f"{split}_images"] = rng.integers(0, 256, shape, np.uint8)
        values[f"{split}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % classes
    np.savez_compressed(path, **values | arrays)
    return path


def list_local(path: Path, name: str = "pneumoniamnist", kind: str = "binary") -> Listing:
    return medmnist.listing(pull_of("medmnist", path, medmnist={"name": name}), kind)


@pytest.mark.parametrize("rgb", [False, True])
def test_pictures_labels_and_splits_of_a_local_file(tmp_path, rgb):
    path = make_npz(tmp_path / "any.npz", rgb=rgb)
    items = list_local(path).items
    assert [item.source_split for item in items] == ["train"] * 7 + ["val"] * 3 + ["test"] * 5
    assert [item.label for item in items[:3]] == ["normal", "pneumonia", "normal"]
    assert [item.name for item in items[6:8]] == ["train/00006", "val/00000"]
    assert {item.patient_id for item in items} == {None}
    arrays = np.load(path)
    for item in items:
        split, row = item.name.split("/")
        pixels = cv2.imdecode(np.frombuffer(item.read(), np.uint8), cv2.IMREAD_UNCHANGED)
        expected = arrays[f"{split}_images"][int(row)]
        np.testing.assert_array_equal(pixels[..., ::-1] if rgb else pixels, expected)


@pytest.mark.parametrize("rgb", [False, True])
def test_pixels_stay_through_deidentification_and_decoding(tmp_path, rgb):
    path = make_npz(tmp_path / "any.npz", rgb=rgb)
    item = list_local(path).items[0]
    pixels = decode(rewrite(item.read())[0])
    np.testing.assert_array_equal(pixels, np.load(path)["train_images"][0])


def test_the_same_picture_has_the_same_bytes(tmp_path):
    """Ids are digests of bytes; these are pinned so that a new OpenCV cannot change them unseen."""
    images = np.arange(28 * 28, dtype=np.uint16).reshape(1, 28, 28).astype(np.uint8)
    path = make_npz(tmp_path / "a.npz", test_images=images, test_labels=np.zeros((1, 1), np.uint8))
    content = list_local(path).items[-1].read()
    assert hashlib.sha256(content).hexdigest() == (
        "b6798fdf9e89b20d3fec687af11f4a8702db4a791b5de879f575297a2c78578d"
    )


def test_multilabel_names_are_joined(tmp_path):
    labels = np.zeros((5, 14), np.uint8)
    labels[1, [13, 0, 4]] = 1
    arrays = {f"{split}_labels": labels[:count] for split, count in IMAGES.items()}
    arrays["train_labels"] = np.zeros((7, 14), np.uint8)
    path = make_npz(tmp_path / "chest.npz", **arrays)
    items = list_local(path, "chestmnist", "multilabel").items
    assert [item.label for item in items[-5:]] == ["", "atelectasis|hernia|mass", "", "", ""]


def test_grades_are_taken_as_classes(tmp_path):
    path = make_npz(tmp_path / "retina.npz", classes=5, rgb=True)
    items = list_local(path, "retinamnist", "multiclass").items
    assert {item.label for item in items} == {"0", "1", "2", "3", "4"}


def test_licence_and_citation_are_noted(tmp_path):
    path = make_npz(tmp_path / "a.npz", classes=7, rgb=True)
    note = list_local(path, "dermamnist", "multiclass").notes[0]
    assert "CC BY-NC 4.0" in note
    assert "10.1038/s41597-022-01721-8" in note
    assert "not checked" in note


def test_the_table_is_whole():
    digests = [digest for published in SETS.values() for digest in published.md5.values()]
    assert len(SETS) == 12
    assert len(set(digests)) == len(digests) == 48
    assert all(len(digest) == 32 and int(digest, 16) >= 0 for digest in digests)
    assert {name for name, published in SETS.items() if published.kind == "binary"} == {
        "pneumoniamnist",
        "breastmnist",
    }
    assert all((len(one.classes) == 2) == (one.kind == "binary") for one in SETS.values())


@pytest.mark.parametrize(
    ("name", "kind", "match"),
    [
        ("octmnist", "binary", "octmnist is a multiclass set.*set task.kind to multiclass"),
        ("chestmnist", "binary", "chestmnist is a multilabel set"),
        ("pneumoniamnist", "multiclass", "pneumoniamnist is a binary set"),
        ("nodulemnist3d", "binary", "required one of pathmnist.*received 'nodulemnist3d'"),
    ],
)
def test_the_kind_must_fit_the_set(tmp_path, name, kind, match):
    with pytest.raises(SourceError, match=match):
        list_local(make_npz(tmp_path / "a.npz"), name, kind)


BAD_ARRAYS = [
    ({"val_images": np.zeros((3, 28, 28), np.float32)}, "must be uint8.*float32"),
    ({"val_images": np.zeros((3, 28, 28, 28), np.uint8)}, r"must be uint8.*\(3, 28, 28, 28\)"),
    ({"val_labels": np.full((3, 1), 2)}, "from 0 to 1; received 2 to 2"),
    ({"val_labels": np.zeros((3, 14), np.uint8)}, r"whole numbers \(3, 1\).*\(3, 14\)"),
    ({"val_labels": np.zeros((4, 1), np.uint8)}, r"whole numbers \(3, 1\)"),
    ({"val_labels": np.zeros((3, 1))}, "received float64"),
    ({"val_images": np.array([None, 1, 2])}, "Python objects"),
    ({"val_labels": np.array([None, 1, 2])}, "allow_pickle"),
    ({"val_images": np.asfortranarray(np.zeros((3, 28, 28), np.uint8))}, "Fortran"),
]


@pytest.mark.parametrize(("arrays", "match"), BAD_ARRAYS)
def test_arrays_that_do_not_fit(tmp_path, arrays, match):
    with pytest.raises(SourceError, match=match):
        list_local(make_npz(tmp_path / "a.npz", **arrays))


def test_files_that_are_none(tmp_path):
    with pytest.raises(SourceError, match="is not there"):
        list_local(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    np.save(tmp_path / "bare.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("no zip")
    whole = make_npz(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name in ("other.npz", "bare.npy", "text.npz", "cut.npz"):
        with pytest.raises(SourceError, match=r"is not an \.npz with train_images"):
            list_local(tmp_path / name)


def test_damage_inside_is_an_error_of_the_file(tmp_path):
    path = make_npz(tmp_path / "a.npz", side=224)
    item = list_local(path).items[0]
    content = bytearray(path.read_bytes())
    content[5000:9000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(OSError, match="damaged"):
        item.read()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rows_in_any_order(tmp_path, save, monkeypatch):
    monkeypatch.setattr(npz, "BLOCK_BYTES", 1000)
    array = np.random.default_rng(1).integers(0, 256, (50, 9, 20), np.uint8)
    save(tmp_path / "a.npz", images=array)
    rows = npz.Rows(tmp_path / "a.npz", "images")
    for index in [*range(50), *reversed(range(50)), 7, 49, 0]:
        np.testing.assert_array_equal(rows.row(index), array[index])
    again = pickle.loads(pickle.dumps(rows))
    np.testing.assert_array_equal(again.row(31), array[31])


def test_a_large_set_is_never_held_whole(tmp_path):
    images = np.zeros((1500, 224, 224), np.uint8)  # 75 MB, unpacked
    path = make_npz(
        tmp_path / "a.npz", train_images=images, train_labels=np.zeros((1500, 1), np.uint8)
    )
    del images
    tracemalloc.start()
    for item in list_local(path).items:
        item.read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * npz.BLOCK_BYTES


@pytest.fixture
def server(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    """A mirror that has one tiny set, published under its real name with its own md5."""
    content = make_npz(tmp_path / "published.npz").read_bytes()
    digests = dict.fromkeys((28, 64), hashlib.md5(content).hexdigest())
    published = replace(SETS["pneumoniamnist"], md5=digests)
    monkeypatch.setitem(SETS, "pneumoniamnist", published)
    monkeypatch.setattr(transfer, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(transfer, "STALL_SECONDS", 0.2)
    files = {"pneumoniamnist.npz": content, "pneumoniamnist_64.npz": content}
    with serving(BadServer(files=files)) as bad:
        monkeypatch.setenv(medmnist.URL_VARIABLE, f"{bad.url}/records/files/")
        yield bad


def fetched(size: int = 28) -> Listing:
    return medmnist.listing(pull_of("medmnist", medmnist={"size": size}), "binary")


def test_a_set_is_fetched_once(server):
    assert len(fetched().items) == 15
    assert "the published file" in fetched().notes[0]
    assert server.asked == {"pneumoniamnist.npz": 1}
    assert len(fetched(64).items) == 15
    assert server.asked["pneumoniamnist_64.npz"] == 1


@pytest.mark.parametrize(
    "mischief", ["cut", "chunks cut", "truncated", "500", "garbage", "trickle"]
)
def test_what_a_further_attempt_fixes(server, mischief):
    server.mischief = {"pneumoniamnist.npz": [mischief, mischief]}
    assert len(fetched().items) == 15
    assert server.asked["pneumoniamnist.npz"] == 3


@pytest.mark.parametrize("mischief", ["cut", "truncated", "garbage", "500"])
def test_what_never_is_the_published_file_is_an_error(server, mischief):
    server.mischief = {"pneumoniamnist.npz": mischief}
    with pytest.raises(SourceError, match=r"could not be fetched.*pull\.path"):
        fetched()
    assert server.asked["pneumoniamnist.npz"] == transfer.ATTEMPTS
    assert list((StateEntry.DOWNLOADS.path / "medmnist").iterdir()) == []


def test_a_file_that_changed_on_disk_is_fetched_again(server):
    fetched()
    file = StateEntry.DOWNLOADS.path / "medmnist" / "pneumoniamnist.npz"
    file.write_bytes(file.read_bytes()[:-100])
    assert len(fetched().items) == 15
    assert server.asked["pneumoniamnist.npz"] == 2


def test_a_mirror_without_the_file_is_an_error_at_once(server):
    server.files.clear()
    with pytest.raises(SourceError, match="HTTP 404"):
        fetched()
