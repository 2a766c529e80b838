"""Stage: decode every image to pixels of one size, and quarantine what cannot be read."""

from __future__ import annotations

import pandas as pd

from tasks.common import documents, manifest, paths
from tasks.common.errors import DataError, command
from tasks.common.params.loading import load
from tasks.common.params.preprocess import Preprocess
from tasks.common.params.section import Part
from tasks.imaging import pack

LISTED = 20  # quarantined images that a message names


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    preprocess: Preprocess


def to_images(cohort: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """The table of images: the cohort, what is known of its pixels, status and pack row.

    Args:
        cohort: one row per image.
        facts: `pack.FACTS` by `image_id` of those that there was a file for.
    """
    facts = facts.rename(columns={"reason": "unreadable"})
    table = cohort.sort_values("image_id", ignore_index=True).join(facts, on="image_id")
    table["reason"] = table["reason"].astype("object").fillna(table.pop("unreadable"))
    usable = table["reason"].isna()
    table["status"] = usable.map({True: "ok", False: "quarantined"})
    table["row"] = (usable.cumsum() - 1).where(usable, -1)
    return table


def candidates(cohort: pd.DataFrame) -> pd.DataFrame:
    """The rows of the cohort that nothing is said against, so there is a file to try."""
    return cohort[cohort["reason"].isna()]


def check_quarantine(images: pd.DataFrame, limit: float) -> None:
    """Hold the share of quarantined images to `limit`; those that a person left out do not count.

    Raises:
        DataError: there are more, or no image is left.
    """
    images = images[~images["reason"].isin(manifest.UNCOUNTED)]
    lost = images[images["status"] != "ok"]
    share = len(lost) / max(len(images), 1)
    if share > limit or len(lost) == len(images):
        raise DataError(
            f"{len(lost)} of {len(images)} images ({share:.1%}) are quarantined, allowed is "
            f"preprocess.max_quarantined = {limit:.1%}:\n{_listed(lost)}\n"
            "Fix or remove these files at the source and pull again (`python -m tasks.pull "
            "--where` says which file an id is), leave them out (`--exclude` and their ids), or "
            "raise the limit"
        )


def _listed(lost: pd.DataFrame) -> str:
    shown = lost.head(LISTED)
    lines = [
        f"  {i[:12]}  {reason}" for i, reason in zip(shown.image_id, shown.reason, strict=True)
    ]
    more = len(lost) - len(shown)
    return "\n".join([*lines, f"  and {more} more"] if more else lines)


def _summary(images: pd.DataFrame, color: str) -> str:
    usable = images[images["status"] == "ok"]
    lines = [f"{len(usable):,} images in the pack, {len(images) - len(usable):,} quarantined"]
    reasons = images["reason"].value_counts()
    lines += [f"  {count:,}: {reason}" for reason, count in reasons.items()]
    colored = int(usable["colored"].sum())
    if color == "grey" and colored:
        lines.append(f"{colored:,} show colours, which preprocess.color: grey drops")
    return "\n".join(lines)


@command
def main() -> None:
    """Write the table of images and the receipt of the pack."""
    settings = load(Settings)
    cohort = manifest.read(paths.COHORT, manifest.COHORT)
    where = settings.preprocess.cluster
    images = to_images(cohort, pack.prepare_all(candidates(cohort), settings.preprocess, where))
    check_quarantine(images, settings.preprocess.max_quarantined)
    usable = images[images["status"] == "ok"]
    receipt = pack.write(usable["image_id"].tolist(), settings.preprocess)
    try:
        documents.write_json(paths.PACK, receipt)
        manifest.write(images, paths.IMAGES, manifest.IMAGES)
    except OSError as error:
        raise DataError(
            f"{paths.IMAGES.parent} cannot be written ({error.strerror or error}): free space or "
            "fix the rights there, then run again: no image is prepared twice"
        ) from error
    print(_summary(images, settings.preprocess.color), flush=True)


if __name__ == "__main__":
    main()
