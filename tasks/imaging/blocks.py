"""Folders of prepared images in the state folder: what is never decoded twice.

A block is whole or not there: it is written beside and renamed at the end. Blocks of one home were
all made with the same settings by the same code, so an image in any of them is the image.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil

from tasks import documents
from tasks.imaging.levels import Pixels

TABLE = "images.parquet"  # image_id, row in the pixels (-1: it has none), and what is known
PIXELS = "pixels.npy"
RECEIPT = "receipt.json"  # digest (sha256 of the pixels), shape, dtype
DRAFT = ".draft-"


class Known(NamedTuple):
    """What the blocks of a home hold.

    Attributes:
        table: one row an image, indexed by `image_id`; `block` and `row` say where its pixels are.
        pixels: `(N, H, W, C)` uint8 of each block, memory-mapped.
    """

    table: pd.DataFrame
    pixels: list[Pixels]


def write(
    folder: Path, table: pd.DataFrame, shape: Sequence[int], parts: Iterable[Pixels]
) -> dict[str, Any]:
    """Write a block whose pixels of `shape` come in parts along the first axis; its receipt."""
    draft = folder.with_name(f"{DRAFT}{os.getpid()}-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    table.to_parquet(draft / TABLE, index=False)
    digest = hashlib.sha256()
    with (draft / PIXELS).open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            data = np.ascontiguousarray(part).tobytes()
            digest.update(data)
            file.write(data)
    receipt = {"digest": digest.hexdigest(), "shape": list(shape), "dtype": "uint8"}
    documents.write_json(draft / RECEIPT, receipt)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return receipt


def read_receipt(folder: Path) -> dict[str, Any] | None:
    """The receipt of a block; None where the block is not there or its pixels are damaged."""
    try:
        receipt: dict[str, Any] = documents.read_json(folder / RECEIPT)
        intact = list(open_pixels(folder, receipt).shape) == receipt["shape"]
    except (OSError, ValueError):
        return None
    return receipt if intact else None


def open_pixels(folder: Path, receipt: dict[str, Any]) -> Pixels:
    """The pixels of a block, memory-mapped and read-only."""
    if receipt["shape"][0] == 0:  # nothing to map
        return np.empty(receipt["shape"], np.uint8)
    pixels: Pixels = np.load(folder / PIXELS, mmap_mode="r")
    return pixels


def read(home: Path) -> Known:
    """What the blocks of `home` hold."""
    empty = pd.DataFrame({"image_id": [], "block": [], "row": []})
    tables: list[pd.DataFrame] = [empty]
    pixels: list[Pixels] = []
    for folder in _folders(home):
        receipt = read_receipt(folder)
        if receipt is not None:
            tables.append(pd.read_parquet(folder / TABLE).assign(block=len(pixels)))
            pixels.append(open_pixels(folder, receipt))
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    return Known(table.drop_duplicates("image_id").set_index("image_id"), pixels)


def gather(known: Known, image_ids: Sequence[str]) -> Pixels:
    """The pixels of prepared images `(N, H, W, C)`, in the order asked for."""
    where = known.table.loc[list(image_ids), ["block", "row"]].to_numpy(np.int64)
    gathered = np.empty((len(where), *known.pixels[0].shape[1:]), np.uint8)
    for block in np.unique(where[:, 0]):
        mine = where[:, 0] == block
        gathered[mine] = known.pixels[block][where[mine, 1]]
    return gathered


def sweep(home: Path, kept: Path) -> None:
    """Remove the blocks whose images are all in `kept`, and what killed processes left behind."""
    held = set(_image_ids(kept))
    for folder in _folders(home):
        if folder != kept and held.issuperset(_image_ids(folder)):
            shutil.rmtree(folder, ignore_errors=True)
    for draft in home.glob(f"{DRAFT}*"):
        if not psutil.pid_exists(int(draft.name.split("-")[1])):
            shutil.rmtree(draft, ignore_errors=True)


def _image_ids(folder: Path) -> list[str]:
    return list(pd.read_parquet(folder / TABLE, columns=["image_id"])["image_id"])


def _folders(home: Path) -> list[Path]:
    return sorted(table.parent for table in home.glob(f"[!.]*/{TABLE}"))
