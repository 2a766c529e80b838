"""What became of the test set since it decided last, and whether its budget begins anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlflow import MlflowClient

from tasks.common.wording import count
from tasks.registry import stored_scores
from tasks.registry.ledger import Entry

RENEWED = 0.5  # share of images that no look of the budget has seen, from which on it begins anew


@dataclass(frozen=True)
class Change:
    """Whether at least half of the images are new since the budget began, and what is to be said
    of the images.
    """

    renewed: bool
    remarks: list[str]


def change(client: MlflowClient, looks: Sequence[Entry], images: Collection[str]) -> Change:
    """What is new in `images`, ids, since the first and the last of `looks`. Where a look has left
    no list, nothing counts as new.
    """
    if not looks:
        return Change(False, [])
    first, last = (_images(client, look, images) for look in (looks[0], looks[-1]))
    grown, gone = len(set(images) - last), len(last - set(images))
    if len(set(images) - first) >= RENEWED * len(images):
        said = f"the test set was renewed: {len(set(images) - first):,} of {len(images):,} images"
        return Change(True, [f"{said} have never decided, so its budget of looks begins anew"])
    changes = [f"gained {count(grown, 'image')}"] * bool(grown)
    changes += [f"lost {count(gone, 'image')}"] * bool(gone)
    since = "since the last verdict the test set has"
    return Change(False, [f"{since} {' and '.join(changes)}"] if changes else [])


def _images(client: MlflowClient, look: Entry, today: Collection[str]) -> set[str]:
    table = stored_scores.load(client, look.facts.get("run_id"))
    return set(today) if table is None else set(table.index)
