"""The pack: every usable image of the data as one array `(N, H, W, C)` uint8, memory-mapped.

`data/processed/pack.json` stands for it: any stage in any clone opens the pack, or builds it from
`data/raw`. Pixels that an earlier pack holds are copied, so a new image costs one decode, and a
build that was killed goes on where it was. What cannot be read is tried again every time: its file
may have been mended in place.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import imagecodecs
import numpy as np
import pandas as pd
import pydicom

from tasks import digests, documents, manifest, paths
from tasks.errors import DataError, DecodeError
from tasks.imaging import blocks
from tasks.imaging.describe import intensities, perceptual_hash
from tasks.imaging.levels import Pixels
from tasks.imaging.prepare import prepare
from tasks.params import Preprocess
from tasks.progress import progress

PIXEL_CODE = ("formats", "levels", "decode", "codecs", "dicom", "resize", "prepare", "describe")
PIXEL_SETTINGS = {"size", "color", "window"}
BLOCK = 256  # images between two writes: what a kill costs at most
FACTS = ["height", "width", "mean", "std", "min", "max", "phash", "colored", "reason"]


class _Outcome(NamedTuple):
    facts: dict[str, Any]
    pixels: Pixels | None


def prepare_all(images: pd.DataFrame, settings: Preprocess) -> pd.DataFrame:
    """Prepare the images that no block holds yet.

    Args:
        images: `image_id` and `path` under `data/raw`.
        settings: the section `preprocess`.

    Returns:
        `FACTS` by `image_id`; where `reason` is set, the image cannot be used.

    Raises:
        DataError: a file is missing.
    """
    home = _home(settings)
    todo = images[~images["image_id"].isin(blocks.read(home).table.index)].sort_values("image_id")
    _require_files(todo["path"])
    outcomes = _outcomes(todo, settings)
    reasons: dict[str, str] = {}
    while block := list(islice(outcomes, BLOCK)):
        reasons |= {o.facts["image_id"]: o.facts["reason"] for o in block if o.pixels is None}
        _write_block(home, [outcome for outcome in block if outcome.pixels is not None], settings)
    facts = blocks.read(home).table.reindex(index=images["image_id"], columns=FACTS)
    return facts.assign(reason=pd.Series(reasons, dtype="object").reindex(facts.index))


def write(image_ids: Sequence[str], settings: Preprocess) -> dict[str, Any]:
    """Put prepared images together, in the order given, unless that pack is there already.

    Returns:
        What `pack.json` says: key, settings of the pixels, digest, shape and dtype.
    """
    home, pixel_settings = _home(settings), settings.model_dump(include=PIXEL_SETTINGS)
    key = digests.of_json({"images": list(image_ids), "settings": pixel_settings})
    receipt = blocks.read_receipt(home / key)
    if receipt is None:
        known = blocks.read(home)
        shape = _shape(len(image_ids), settings)
        rows = pd.Series(range(len(image_ids)), index=list(image_ids))
        table = known.table.assign(row=rows.reindex(known.table.index, fill_value=-1))
        table = table[table["row"].ge(0)].drop(columns="block")
        parts = (blocks.gather(known, part) for part in _parts(image_ids))
        receipt = blocks.write(home / key, table.reset_index(), shape, parts)
        blocks.sweep(home, kept=home / key)
    return {"key": key, "settings": pixel_settings, **receipt}


def open_pack() -> Pixels:
    """The pack that `data/processed/pack.json` names, `(N, H, W, C)` uint8, memory-mapped and
    read-only; its rows are those of the manifest. Built from `data/raw` where it is not there.

    Raises:
        DataError: what is built from `data/raw` here is not what was built there.
    """
    if not paths.PACK.exists():
        raise DataError(f"{paths.PACK} not found: `dvc repro preprocess` makes it from data/raw")
    receipt = documents.read_json(paths.PACK)
    settings = Preprocess(**receipt["settings"], max_quarantined=1.0)
    folder = _home(settings) / receipt["key"]
    found = blocks.read_receipt(folder) or _rebuild(settings)
    if found["digest"] != receipt["digest"]:
        raise DataError(
            f"required: the pack of {paths.PACK}, digest {receipt['digest'][:12]}; received from "
            f"data/raw: digest {found['digest'][:12]}. Other files or other versions of OpenCV or "
            "pydicom give other pixels: install requirements.lock, `dvc checkout`, or make both "
            "anew with `dvc repro -f preprocess`"
        )
    return blocks.open_pixels(folder, found)


def _rebuild(settings: Preprocess) -> dict[str, Any]:
    images = manifest.read(paths.IMAGES, manifest.IMAGES)
    usable = images[images["status"] == "ok"].sort_values("row")
    broken = int(prepare_all(usable, settings)["reason"].notna().sum())
    if broken:
        raise DataError(
            f"{broken} of {len(usable)} images can be read where {paths.PACK} was made but not "
            "here: `dvc checkout data/raw.dvc` brings damaged files back"
        )
    return write(list(usable["image_id"]), settings)


def _home(settings: Preprocess) -> Path:
    """The folder of everything made with these settings by this code and these libraries."""
    code = [digests.of_file(Path(__file__).with_name(f"{name}.py")) for name in PIXEL_CODE]
    libraries = [module.__version__ for module in (cv2, imagecodecs, np, pydicom)]
    made_with = [settings.model_dump(include=PIXEL_SETTINGS), code, libraries]
    return paths.state() / "packs" / digests.of_json(made_with)[:16]


def _require_files(names: pd.Series[str]) -> None:
    missing = sum(not (paths.RAW / name).exists() for name in names)
    if missing:
        raise DataError(
            f"{missing} of {len(names)} files of the cohort are not under {paths.RAW}: "
            "`dvc pull data/raw.dvc`, or `dvc checkout data/raw.dvc` without a remote"
        )


def _outcomes(images: pd.DataFrame, settings: Preprocess) -> Iterator[_Outcome]:
    """Outcomes in the order of `images`. Threads do: OpenCV and zlib release the interpreter."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one image a thread
    try:
        with ThreadPoolExecutor() as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of single images would undo one another
            one = partial(_prepare_one, settings=settings)
            done = pool.map(one, images["image_id"], images["path"])
            for _ in progress(range(len(images)), "Preparing images"):
                yield next(done)
    finally:
        cv2.setNumThreads(threads)


def _prepare_one(image_id: str, path: str, settings: Preprocess) -> _Outcome:
    frame = image_id.partition("-")[2]
    try:
        made = prepare((paths.RAW / path).read_bytes(), settings, int(frame) if frame else None)
    except DecodeError as error:
        return _Outcome({"image_id": image_id, "reason": str(error)}, None)
    facts: dict[str, Any] = {"height": made.height, "width": made.width, "colored": made.colored}
    facts |= intensities(made.pixels) | {"phash": perceptual_hash(made.pixels)}
    return _Outcome({"image_id": image_id, **facts}, made.pixels)


def _write_block(home: Path, prepared: list[_Outcome], settings: Preprocess) -> None:
    pixels = [outcome.pixels for outcome in prepared if outcome.pixels is not None]
    if not pixels:
        return
    table = pd.DataFrame([outcome.facts for outcome in prepared], columns=["image_id", *FACTS])
    table["row"] = range(len(table))
    name = digests.of_json(list(table["image_id"]))
    shape = _shape(len(pixels), settings)
    blocks.write(home / f"part-{name[:16]}", table, shape, (part for part in pixels))


def _shape(count: int, settings: Preprocess) -> tuple[int, ...]:
    return (count, *settings.size, 1 if settings.color == "grey" else 3)


def _parts(image_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """A few at a time: a pack may be larger than the memory."""
    for start in range(0, len(image_ids), BLOCK):
        yield image_ids[start : start + BLOCK]
