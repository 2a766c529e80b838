"""Bring new images from the source into `data/raw`, de-identified, and version them.

No stage of `dvc.yaml`, since it reaches outside: `dvc repro` works with the data that are there.
What the source has lost or labels otherwise by now is reported, not followed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tasks import edit, labels, manifest, paths, versions
from tasks import params as parameters
from tasks.errors import DecodeError, PrivacyError, SourceError, command
from tasks.imaging.deidentify import deidentify
from tasks.params import Params
from tasks.progress import progress
from tasks.pseudonyms import PUBLIC_KEY, Pseudonyms, key_id, load_key
from tasks.sources import Item, open_source

CONFLICT = "two labels: "  # reason of an image that the source shows under several labels
MOST_CLASSES = 100  # of `auto`; more are rather patients' folders than classes
# Every name that this module writes under `data/raw`; a draft ends in the number of its process.
# The last is DVC's draft: a checkout killed on the way leaves it, and must not bar the next pull.
OWN = re.compile(
    r"cohort\.parquet|\.cohort\.parquet\.\d+"
    r"|([0-9a-f]{2})/(\1[0-9a-f]{62}\.[a-z]+|\.\1[0-9a-f]{62}\.[a-z]+\.\d+)"
    r"|([0-9a-f]{2}/)?[^/]*\.[\w-]{22}\.tmp"
)


@dataclass(frozen=True)
class PullSummary:
    """What a pull did, in images unless said otherwise.

    Attributes:
        batch: the number of what is new; None if nothing is.
        new: rows added, of `patients` known patients and `size` bytes.
        known: at the source and in `data/raw` already.
        unreadable: new, could not be parsed and so not copied.
        conflicting: new, under several labels at the source.
        duplicates: further files at the source with the very same bytes.
        relabelled: known, but the source has another label now; the old one stays.
        vanished: in `data/raw`, but no longer at the source; they stay.
        notes: what a person should know about the source.
    """

    batch: int | None
    new: int
    patients: int
    size: int
    known: int
    unreadable: int
    conflicting: int
    duplicates: int
    relabelled: int
    vanished: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A few lines for the log; they name no file and no patient."""
        first = f"nothing new at the source, {self.known:,} images known"
        if self.batch is not None:
            first = (
                f"{self.new:,} new images of {self.patients:,} patients as batch {self.batch} "
                f"({self.size / 1e6:.1f} MB), {self.known:,} known"
            )
        remarks = {
            "new files could not be parsed and were not copied": self.unreadable,
            "new images stand under two labels and will be quarantined": self.conflicting,
            "files repeat another one byte for byte and are kept once": self.duplicates,
            "known images have another label at the source now; the first one stays": (
                self.relabelled
            ),
            "known images are no longer at the source; they stay": self.vanished,
        }
        counted = [f"  {count:,} {what}" for what, count in remarks.items() if count]
        return "\n".join([*self.notes, first, *counted])


@dataclass
class Arrivals:
    """What the source shows in one pull, by the digest of the file: its labels, its new rows."""

    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    size: int = 0

    def claim(self, digest: str) -> str:
        """The label of a file, or that it has several."""
        found = sorted(self.labels[digest])
        return found[0] if len(found) == 1 else CONFLICT + ", ".join(found)


def pull(params: Params) -> PullSummary:
    """Add what the source has new to `data/raw` as one batch, and version it.

    Killed anywhere and run again, it ends in the same data: files before the table that names
    them, the table before the version.

    Raises:
        MedloopError: the source, its labels, the key or DVC do not allow it; nothing is added.
    """
    guard_raw(params)
    pseudonyms, key = Pseudonyms(load_key(params)), params.deid.key_id
    listing = open_source(params)
    remote = versions.has_remote()
    versions.restore(remote)
    known = read_known(key)
    diff = settle_classes(params, [item.label for item in listing.items])
    arrivals = bring(listing.items, {_digest(i) for i in known["image_id"]}, pseudonyms)
    new = as_batch(arrivals, batch=int(known["batch"].max()) + 1 if len(known) else 0)
    table = pd.concat([part for part in (known, new) if len(part)])
    if len(new):
        write_cohort(table, key)
    sweep(table["path"].dropna())
    if len(new) or not paths.RAW_DVC.exists():
        versions.save()
    if remote:
        versions.push()
    notes = (*listing.notes, *([diff] if diff else []))
    return summarise(known, new, arrivals, len(listing.items), notes)


def guard_raw(params: Params) -> None:
    """Refuse to work in `data/raw` while it holds files of a person: a restore would delete them.

    Raises:
        SourceError: it does, or it is named as the source.
    """
    foreign = sum(
        not _is_own(file) for file in paths.RAW.rglob("*") if file.is_symlink() or not file.is_dir()
    )
    source = Path(params.pull.path or "").expanduser().resolve()
    inside = params.pull.source == "folder" and source.is_relative_to(paths.RAW.resolve())
    if foreign or inside:
        what = f"holds {foreign:,} files that pull did not write" if foreign else "is the source"
        raise SourceError(
            f"{paths.RAW} {what}: {paths.RAW} is made by pull; move your own files elsewhere and "
            "set pull.path to that folder"
        )


def _is_own(file: Path) -> bool:
    return OWN.fullmatch(file.relative_to(paths.RAW).as_posix()) is not None


def read_known(key: str) -> pd.DataFrame:
    """The cohort so far. The phantom's is given up for images of one's own: it can be drawn again.

    Raises:
        PrivacyError: it was pulled with another key.
    """
    if not paths.COHORT.exists():
        return pd.DataFrame(columns=list(manifest.COHORT))
    table = manifest.read(paths.COHORT, manifest.COHORT)
    before = table.attrs.get("key_id")
    if before == key:
        return table
    if before == key_id(PUBLIC_KEY):
        return table.iloc[:0]
    raise PrivacyError(
        f"{paths.RAW} was pulled with the key {before}, deid.key_id names {key}: one patient would "
        f"get two pseudonyms. Name the first key again, or move {paths.RAW} and {paths.RAW_DVC} "
        "away to begin anew"
    )


def settle_classes(params: Params, found: Iterable[str]) -> str:
    """Hold the labels to `task.classes`, or write them there if it is `auto`; gives the diff.

    Raises:
        DataError: a label is unknown.
        SourceError: so many classes were found that they can be none.
        ParameterError: the classes found do not fit `task.kind`.
    """
    kind, classes = params.task.kind, params.task.classes
    if classes != "auto":
        labels.check(found, kind, classes)
        return ""
    names = sorted({name for label in found for name in labels.names(label, kind)})
    if len(names) > MOST_CLASSES:
        raise SourceError(
            f"required: at most {MOST_CLASSES} classes; received: {len(names)}; "
            "is pull.path one level too high?"
        )
    return edit.set_values(paths.PARAMS, {"task.classes": names})


def bring(items: Sequence[Item], known: set[str], pseudonyms: Pseudonyms) -> Arrivals:
    """Read every item once; write the new ones, de-identified, under `data/raw`."""
    arrivals = Arrivals()
    for item in progress(items, "Reading the source"):
        content = _read(item)
        digest = hashlib.sha256(content).hexdigest()
        if digest not in known and digest not in arrivals.labels:
            arrivals.rows[digest] = _bring_one(item, content, digest, pseudonyms)
            arrivals.size += len(content)
        arrivals.labels[digest].add(item.label)
    return arrivals


def _read(item: Item) -> bytes:
    try:
        return item.read()
    except OSError as error:  # without the file's name, which may identify
        raise SourceError(
            f"a file of label {item.label!r} cannot be read ({error.strerror}): check the rights "
            "of the files at the source, then pull again"
        ) from None


def _bring_one(
    item: Item, content: bytes, digest: str, pseudonyms: Pseudonyms
) -> list[dict[str, Any]]:
    """Write one file and give its rows: one, or one a frame."""
    row: dict[str, Any] = {"label": item.label, "source_split": item.source_split}
    said = {"patient_id": pseudonyms.patient(item.patient_id)} if item.patient_id else {}
    try:
        clean = deidentify(content, pseudonyms)
    except DecodeError as error:
        return [{"image_id": digest, "reason": str(error), **row, **item.slices, **said}]
    path = f"{digest[:2]}/{digest}{clean.suffix}"
    _write(paths.RAW / path, clean.content)
    row |= {"path": path, **clean.attributes, **item.slices, **said}
    frames = [f"{digest}-{frame}" for frame in range(clean.frames)]
    return [{"image_id": name, **row} for name in (frames if clean.frames > 1 else [digest])]


def as_batch(arrivals: Arrivals, batch: int) -> pd.DataFrame:
    """The new rows in the order of their ids; an image under several labels gets a reason."""
    rows = []
    for digest, images in arrivals.rows.items():
        claim = arrivals.claim(digest)
        conflict = {"reason": claim} if claim.startswith(CONFLICT) else {}
        rows += [{"reason": None, **conflict, **image, "batch": batch} for image in images]
    table = pd.DataFrame(rows, columns=_columns(rows))
    return table.sort_values("image_id", ignore_index=True)


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys([*manifest.COHORT, *(column for row in rows for column in row)]))


def write_cohort(table: pd.DataFrame, key: str) -> None:
    """Replace the cohort at once; the key's fingerprint travels in the file."""
    table = table.copy()
    table.attrs["key_id"] = key
    draft = paths.COHORT.with_name(f".{paths.COHORT.name}.{os.getpid()}")
    manifest.write(table, draft, manifest.COHORT)
    draft.replace(paths.COHORT)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)


def sweep(named: Iterable[str]) -> None:
    """Remove what no row names: drafts and files of a killed pull, and a given-up phantom.

    What this module does not write stays, also where it came only after `guard_raw`.
    """
    kept = {paths.COHORT, *(paths.RAW / path for path in named)}
    for file in sorted(paths.RAW.rglob("*"), reverse=True):
        if file.is_file() and file not in kept and _is_own(file):
            file.unlink()
        elif file.is_dir() and not any(file.iterdir()):
            file.rmdir()


def _digest(image_id: str) -> str:
    return image_id.partition("-")[0]


def summarise(
    known: pd.DataFrame,
    new: pd.DataFrame,
    arrivals: Arrivals,
    files: int,
    notes: tuple[str, ...] = (),
) -> PullSummary:
    """Count what happened; `files` is how many the source listed."""
    reasons = new["reason"].fillna("")
    conflicts = reasons.str.startswith(CONFLICT)
    claims = {
        _digest(image_id): reason if str(reason).startswith(CONFLICT) else label
        for image_id, reason, label in known[["image_id", "reason", "label"]].to_numpy().tolist()
    }
    there = claims.keys() & arrivals.labels.keys()
    return PullSummary(
        batch=int(new["batch"].iloc[0]) if len(new) else None,
        new=len(new),
        patients=new["patient_id"].nunique(),
        size=arrivals.size,
        known=len(there),
        unreadable=int(((reasons != "") & ~conflicts).sum()),
        conflicting=int(conflicts.sum()),
        duplicates=files - len(arrivals.labels),
        relabelled=sum(arrivals.claim(digest) != claims[digest] for digest in there),
        vanished=len(claims.keys() - there),
        notes=notes,
    )


@command
def main() -> None:
    """Pull, and say what came."""
    print(pull(parameters.load()))


if __name__ == "__main__":
    main()
