"""The pack: every usable image of the data as one array `(N, H, W, C)` uint8, memory-mapped.

`data/processed/pack.json` stands for it: any stage in any clone opens the pack, or builds it from
`data/raw`. Pixels that an earlier pack holds are copied, so a new image costs one decode, and a
build that was killed goes on where it was. What cannot be read is tried again every time: its file
may have been fixed in place. Pixels are held to their digests once per process, before anything is
read of them, and what is damaged is prepared anew.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from math import prod
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow

from tasks.common import digests, documents, manifest, paths
from tasks.common.errors import DataError
from tasks.common.params.pixels import PixelSettings
from tasks.common.paths import OWN, Place
from tasks.common.progress import progress
from tasks.imaging import batching, blocks, cluster
from tasks.imaging.batching import Outcome, image_shape
from tasks.imaging.disk import require_space
from tasks.imaging.levels import Pixels

BLOCK_SECONDS = 10.0  # between two blocks: what a kill costs at most
FACTS = ["height", "width", "mean", "std", "min", "max", "phash", "colored", "reason"]


def prepare_all(
    images: pd.DataFrame,
    settings: PixelSettings,
    scheduler: str | None = None,
    place: Place = OWN,
) -> pd.DataFrame:
    """Prepare the images that no block holds yet, here or on a cluster.

    Args:
        images: `image_id` and `path` in the folder of `place`.
        settings: what the pixels depend on.
        scheduler: the address of the cluster's; None: threads of this process.
        place: where the files lie.

    Returns:
        `FACTS` by `image_id`; where `reason` is set, the image cannot be used.

    Raises:
        DataError: a file is missing or cannot be read, the disk is full, or the cluster fails.
    """
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # its own keeps 40 MB that it has freed
    home = _home(settings)
    todo = images[~images["image_id"].isin(blocks.read(home).table.index)].sort_values("image_id")
    ids, names = todo["image_id"].tolist(), [f"{place.folder}/{path}" for path in todo["path"]]
    sizes = _file_sizes(names, place)
    reasons: dict[str, str] = {}
    if len(todo):  # their blocks, and then the pack of all
        require_space(home, (len(todo) + len(images)) * prod(image_shape(settings)))
        cut = batching.in_batches(zip(ids, names, sizes, strict=True), settings)
        here = batching.threads(settings)
        with cluster.workers(settings, scheduler) if scheduler else here as workers:
            done = _counted(batching.in_order(workers, cut), len(todo))
            reasons = _write_blocks(home, done, settings)
    facts = blocks.read(home).table.reindex(index=images["image_id"], columns=FACTS)
    return facts.assign(reason=pd.Series(reasons, dtype="object").reindex(facts.index))


def write(image_ids: Sequence[str], settings: PixelSettings) -> dict[str, Any]:
    """Put prepared images together, in the order given, unless that pack is there already.

    Returns:
        What `pack.json` says: key, settings of the pixels, digest, shape and dtype.
    """
    home, pixel_settings = _home(settings), settings.plain()
    key = digests.of_json({"images": list(image_ids), "settings": pixel_settings})
    receipt = blocks.read_receipt(home / key)
    if receipt is None:
        receipt = _put_together(home, home / key, image_ids, settings)
        blocks.sweep(home, kept=home / key)
    return {"key": key, "settings": pixel_settings, **receipt}


def _put_together(
    home: Path, folder: Path, image_ids: Sequence[str], settings: PixelSettings
) -> dict[str, Any]:
    known, image = blocks.read(home), image_shape(settings)
    receipt = blocks.adopt(known, folder, image_ids)
    if receipt is not None:
        return receipt
    require_space(home, len(image_ids) * prod(image))
    with blocks.draft(home, image) as draft:
        for run in blocks.runs(known, image_ids):
            draft.copy(run)
        table = known.table.loc[list(image_ids)].drop(columns="block")
        return draft.finish(folder, table.assign(row=range(len(table))).reset_index())


def open_pack() -> Pixels:
    """The pack that `data/processed/pack.json` names, `(N, H, W, C)` uint8, memory-mapped and
    read-only; its rows are those of the manifest. Built from `data/raw` where it is not there.

    Raises:
        DataError: what is built from `data/raw` here is not what was built there.
    """
    receipt = _receipt()
    settings = PixelSettings(**receipt["settings"])
    folder = _home(settings) / receipt["key"]
    found = blocks.read_receipt(folder) or _rebuild(settings)
    if found["digest"] != receipt["digest"]:
        raise DataError(
            f"required: the pack of {paths.PACK}, digest {receipt['digest'][:12]}; received from "
            f"data/raw: digest {found['digest'][:12]}. Other files, or other versions of this "
            "project, OpenCV or pydicom give other digests: install requirements.lock, `dvc "
            "checkout`, or make both anew with `dvc repro -f preprocess`"
        )
    return blocks.open_pixels(folder, found)


def open_others(images: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, Pixels]:
    """Prepare images of another place as those of the pack were: their `FACTS` with the `digest` of
    the pixels, by `image_id`, and the pixels `(N, H, W, C)` of those without a reason, in order.

    Args:
        images: `image_id` and `path`.
        place: where the files lie.

    Raises:
        DataError: as in `prepare_all`, or there is no pack.
    """
    settings = made_with()
    facts = prepare_all(images, settings, place=place)
    facts = facts.assign(digest=pixel_digests().reindex(facts.index))
    receipt = write(facts.index[facts["reason"].isna()].tolist(), settings)
    return facts, blocks.open_pixels(_home(settings) / receipt["key"], receipt)


def pixel_digests() -> pd.Series[str]:
    """The digest of the pixels of every image that was prepared as the pack was, by `image_id`."""
    return blocks.read(_home(made_with())).table["digest"]


def made_with() -> PixelSettings:
    """What the pixels of the pack depend on."""
    return PixelSettings(**_receipt()["settings"])


def _receipt() -> dict[str, Any]:
    if not paths.PACK.exists():
        raise DataError(f"{paths.PACK} not found: `dvc repro preprocess` makes it from data/raw")
    said: dict[str, Any] = documents.read_json(paths.PACK)
    return said


def _rebuild(settings: PixelSettings) -> dict[str, Any]:
    images = manifest.read(paths.IMAGES, manifest.IMAGES)
    usable = images[images["status"] == "ok"].sort_values("row")
    broken = int(prepare_all(usable, settings)["reason"].notna().sum())
    if broken:
        raise DataError(
            f"{broken} of {len(usable)} images can be read where {paths.PACK} was made but not "
            "here: `dvc checkout data/raw.dvc` brings damaged files back"
        )
    return write(usable["image_id"].tolist(), settings)


def _home(settings: PixelSettings) -> Path:
    """The folder of everything made with these settings by this code and these libraries."""
    return paths.StateEntry.PACKS.path / batching.made_with(settings)[:16]


def _file_sizes(names: Sequence[str], place: Place) -> list[int]:
    """Bytes of each file.

    Raises:
        DataError: files are missing, or their folder cannot be read.
    """
    sizes = [_file_size(name) for name in names]
    found = [size for size in sizes if size is not None]
    if len(found) < len(sizes):
        raise DataError(
            f"{len(sizes) - len(found)} of {len(sizes)} files of the cohort are not under "
            f"{place.folder}: `dvc pull {place.version}`, or `dvc checkout {place.version}` "
            "without a remote"
        )
    return found


def _file_size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116  Path takes twice as long
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}): fix the rights of its folder, "
            "then run again"
        ) from None


def _counted(outcomes: Iterator[Outcome], images: int) -> Iterator[Outcome]:
    steps = progress(range(images), "Preparing images")
    for outcome in outcomes:
        deque(islice(steps, len(outcome.pixels) + len(outcome.reasons)), maxlen=0)
        yield outcome


def _write_blocks(
    home: Path, outcomes: Iterator[Outcome], settings: PixelSettings
) -> dict[str, str]:
    """Write what can be used as blocks; the reasons of the others by `image_id`."""
    reasons: dict[str, str] = {}
    for first in outcomes:
        facts: dict[str, list[Any]] = {}
        with blocks.draft(home, image_shape(settings)) as draft:
            for outcome in _for_a_while(chain([first], outcomes)):
                draft.append(outcome.pixels)
                for name, values in outcome.facts.items():
                    facts.setdefault(name, []).extend(values)
                reasons |= outcome.reasons
            if facts:
                table = pd.DataFrame(facts, columns=["image_id", "digest", *FACTS])
                name = blocks.part_name(facts["image_id"])
                draft.finish(home / name, table.assign(row=range(len(table))))
    return reasons


def _for_a_while(outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    """What comes within `BLOCK_SECONDS`, and at least one."""
    end = time.monotonic() + BLOCK_SECONDS
    for outcome in outcomes:
        yield outcome
        if time.monotonic() >= end:
            return
