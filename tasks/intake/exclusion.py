"""Leave images of `data/raw` out by their id, and take them back.

Such an image keeps its file and its row, with a reason: preprocess does not touch it, no pull
brings it anew, and the version of the data says so in every clone. Nobody changes side: groups that
its picture joined stay joined, and it comes back in a batch of its own, since others may have been
split without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from tasks.common.errors import DataError
from tasks.common.manifest import EXCLUDED, REPLACED
from tasks.intake import cohort, data_versions
from tasks.intake.file_ids import SHORTEST, file_of
from tasks.intake.joined_groups import joined_by

if TYPE_CHECKING:
    from tasks.common.params.whole import Params


def exclude(params: Params, image_ids: Sequence[str]) -> int:
    """Put images in quarantine; how many.

    Args:
        params: all parameters.
        image_ids: an image each, or all frames of a file; the first characters suffice.

    Raises:
        DataError: one of them is unknown or in quarantine already, the manifest is missing, or DVC
            or the disk does not allow it.
    """
    key, remote, table = _open(params)
    chosen = _chosen(table, image_ids)
    reasons = table.loc[chosen, "reason"].dropna()
    if len(reasons):
        raise DataError(
            f"required: images that are not in quarantine; received: {len(reasons):,} that are, "
            f"such as one for {reasons.iloc[0]!r}"
        )
    joined = joined_by(table[chosen])
    if joined:
        cohort.write_withdrawn(cohort.read_withdrawn(key), cohort.read_joined() | joined, key)
    cohort.write(table.assign(reason=table["reason"].mask(chosen, EXCLUDED)), key)
    _save(remote)
    return int(chosen.sum())


def include(params: Params, image_ids: Sequence[str]) -> int:
    """Take excluded images back, as a batch of their own; how many. As `exclude`."""
    key, remote, table = _open(params)
    chosen = _chosen(table, image_ids)
    if (others := int((table.loc[chosen, "reason"] != EXCLUDED).sum())) > 0:
        raise DataError(f"required: images that --exclude left out; received: {others:,} others")
    back = table[chosen].assign(reason=None, batch=int(table["batch"].max()) + 1)
    stand_ins = cohort.stand_ins(table[chosen], REPLACED)
    rows = cohort.joined(table[~chosen], stand_ins, back)
    cohort.write(rows.drop_duplicates("image_id"), key)  # a stand-in may stand there already
    _save(remote)
    return len(back)


def _open(params: Params) -> tuple[str, bool, pd.DataFrame]:
    cohort.guard(params.pull)
    remote = data_versions.has_remote()
    data_versions.restore(remote)
    return params.deid.key_id, remote, cohort.read(params.deid.key_id)


def _save(remote: bool) -> None:
    data_versions.save()
    if remote:
        data_versions.push()


def _chosen(table: pd.DataFrame, image_ids: Sequence[str]) -> pd.Series[bool]:
    """Which rows are meant: one that has the id, else those of the one file that it begins."""
    known, chosen = cohort.present(table)["image_id"], pd.Series(False, table.index)
    for given in image_ids:
        meant = known[known == given]
        if meant.empty and len(given) >= SHORTEST:
            meant = known[known.str.startswith(given)]
        if meant.map(file_of).nunique() != 1:  # without the id, which may be a name
            raise DataError(
                "required: the image_id of an image of data/raw, as in the table of images, or so "
                f"many of its first characters, {SHORTEST} or more, that it is the only one; "
                f"received: one that {'several begin with' if len(meant) else 'none has'}"
            )
        chosen[meant.index] = True
    return chosen
