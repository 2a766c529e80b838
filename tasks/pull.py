"""Bring new images from the source into `data/raw`, de-identified, and version them.

python -m tasks.pull                  bring what is new
python -m tasks.pull --exclude ID ..  leave images that are there out, by their image_id
python -m tasks.pull --include ID ..  take them back
python -m tasks.pull --where ID ..    print what the source calls the files of images

No stage of `dvc.yaml`, since it reaches outside: `dvc repro` works with the data that are there.
What the source has lost, changed or labels otherwise by now is reported, not followed. Where
`evaluate.external` names images of other people, they come likewise, into a place of their own.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from tasks.common import documents
from tasks.common.errors import MedloopError, SourceError, command
from tasks.common.manifest import REPLACED
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import OTHERS, OWN, Place, StateEntry
from tasks.intake import arrivals, classes, cohort, data_versions, exclusion, originals
from tasks.intake.arrivals import CONFLICT, Arrivals
from tasks.intake.file_ids import file_of
from tasks.privacy import identifiers
from tasks.privacy.pseudonyms import Pseudonyms, load_key, remarks
from tasks.sources import Listing, itemise, open_source

OF_EXTERNAL = f"Of evaluate.external, in {OTHERS.folder}:\n"
NEXT = f"Commit {OWN.version}; `dvc repro` makes the results anew"


@dataclass(frozen=True)
class PullSummary:
    """What a pull did, in images unless said otherwise.

    Attributes:
        batch: the number of what is new; None if nothing is.
        new: rows added, of `patients` known patients and `size` bytes.
        known: at the source and in `data/raw` already.
        refused: new, and by the reason why they were not copied.
        conflicting: new, under several labels at the source.
        duplicates: further files at the source with the very same bytes.
        relabelled: known, but the source has another label now; the old one stays.
        redescribed: taken, but the source has another patient, split or slice too; the first stays.
        changed: known, but the file has other bytes at the source now; the old ones stay.
        fixed: files that were refused before; new.
        vanished: in `data/raw`, but no longer at the source or passed by there; they stay.
        passed_by: of those, what is passed by, and is trained on.
        withdrawn: at the source still, and not brought.
        masks: of findings, that are new; nothing trains on them.
        refused_masks: could not be read, or are not black and white.
        notes: what a person should know about the source.
        positive: the positive class of a binary task.
        place: where all this is.
    """

    batch: int | None
    new: int
    patients: int
    size: int
    known: int
    refused: Mapping[str, int]
    conflicting: int
    duplicates: int
    relabelled: int
    redescribed: int
    changed: int
    fixed: int
    vanished: int
    withdrawn: int
    passed_by: int = 0
    masks: int = 0
    refused_masks: int = 0
    notes: tuple[str, ...] = ()
    positive: str | None = None
    place: Place = OWN

    def __str__(self) -> str:
        """A few lines for the log; they name no file and no patient."""
        first = f"nothing new at the source, {self.known:,} images known"
        if self.batch is not None:
            first = (
                f"{self.new:,} new images of {self.patients:,} patients as batch {self.batch} "
                f"({self.size / 1e6:.1f} MB), {self.known:,} known"
            )
        remarks = {
            "new images stand under two labels and will be quarantined": self.conflicting,
            "files that were refused before can be read now and are among the new": self.fixed,
            "files repeat another one byte for byte and are kept once": self.duplicates,
            "known images have another label at the source now; the first one stays": (
                self.relabelled
            ),
            "images have another patient, split or slice at a second place of the source, or by "
            "now; the first stays. Where it is wrong, fix the source, move "
            f"{self.place.folder} and {self.place.version} away and pull anew": self.redescribed,
            "known files have other content at the source now; the first one stays. Give the new "
            "file another name to pull it as well": self.changed,
            "known images are no longer at the source, or are passed by there; they stay": (
                self.vanished
            ),
            "of those are passed by, such as masks beside their pictures, and are trained on as "
            f"before. Their ids stand in {StateEntry.PULL_DETAILS.path}; `python -m tasks.pull "
            "--exclude ID ..` leaves them out": self.passed_by,
            "new masks of findings, which explanations are held to; nothing trains on them": (
                self.masks
            ),
            "masks are left out: they cannot be read, or are not black and white": (
                self.refused_masks
            ),
            "files of withdrawn patients are still at the source; they were not brought, and "
            "should be deleted there": self.withdrawn,
        }
        counted = [f"  {count:,} {what}" for what, count in remarks.items() if count]
        last = [f"the positive class is {self.positive}"] if self.positive else []
        return "\n".join([*self.notes, first, *self._refusals(), *counted, *last])

    def _refusals(self) -> list[str]:
        total = sum(self.refused.values())
        reasons = sorted(self.refused.items(), key=lambda pair: (-pair[1], pair[0]))
        listed = [f"    {count:,}: {reason}" for reason, count in reasons]
        return [f"  {total:,} new files were not copied:", *listed] if total else []


def pull(params: Params, place: Place = OWN) -> PullSummary:
    """Add what the source has new to `data/raw`, or another place, as one batch, and version it.

    Killed anywhere and run again, it ends in the same data: files before the table that names
    them, the table before the version.

    Raises:
        MedloopError: the source, its labels, the key, the disk or DVC do not allow it; nothing is
            added.
    """
    cohort.guard(params.pull, place)
    pseudonyms, key = Pseudonyms(load_key(params)), params.deid.key_id
    listing = _list(params)
    found = [item.label for item in listing.items]
    details = {"labels that are refused": classes.refused(params.task, found)}
    _write_details(listing, details, place)
    remote = data_versions.has_remote()
    data_versions.restore(remote, place)
    known, marks = cohort.read(key, place), cohort.read_marks(key, place)
    settled = classes.settle(params.task, found)
    present = cohort.present(known)
    told = arrivals.known_of(present, cohort.read_all_withdrawn(key))
    door = arrivals.Door(params, pseudonyms, told, all_headers=marks is None, place=place)
    came = door.bring([replace(i, label=settled.spelled[i.label]) for i in listing.items])
    if kept := _kept_though_passed_by(listing, door, present):
        title = f"files of {place.folder} that are passed by, by their id"
        _write_details(listing, {title: kept}, place)
    new = arrivals.as_batch(came, batch=int(known["batch"].max()) + 1 if len(known) else 0)
    replaced = known["image_id"].map(file_of).isin(came.replaced)
    stand_ins = cohort.stand_ins(known[replaced], REPLACED)
    all_marks = (marks or set()) | identifiers.collect(came.identities, pseudonyms)
    if told_more := all_marks != marks:
        cohort.write_marks(all_marks, key, place)
    table = arrivals.with_masks(cohort.joined(known[~replaced], stand_ins, new), came.masks)
    if len(new) or came.masks:
        cohort.write(table, key, place)
    originals.note(came.names, set(cohort.present(table)["image_id"].map(file_of)), place)
    cohort.sweep(table, place)
    if len(new) or came.masks or told_more or not place.version.exists():
        data_versions.save(place)
    if remote:
        data_versions.push(place)
    notes = (*listing.notes, *([settled.diff] if settled.diff else []), *remarks(params))
    positive = settled.classes[1] if params.task.kind == "binary" else None
    summary = summarise(present, new, came, notes)
    return replace(summary, passed_by=len(kept), positive=positive, place=place)


def pull_external(params: Params) -> PullSummary | None:
    """Likewise what `evaluate.external` names, if anything; errors as in `pull`."""
    source = params.evaluate.external
    if source is None:
        return None
    try:
        return pull(params.model_copy(update={"pull": source}), OTHERS)
    except MedloopError as error:
        raise type(error)(
            f"of evaluate.external, of which keys of pull are meant here: {error}"
        ) from None


def _list(params: Params) -> Listing:
    try:
        return open_source(params)
    except OSError as error:  # without the folder's name, which may identify
        raise SourceError(
            f"the source cannot be listed ({error.strerror or type(error).__name__}): check "
            "pull.path and the rights of its folders, then pull again; nothing was changed"
        ) from None


def _write_details(
    listing: Listing, more: Mapping[str, Collection[str]], place: Place = OWN
) -> None:
    """Put what messages count where only the owner of the data looks, or clear it away; what the
    source of external images has stands behind the rest.
    """
    path, lines = StateEntry.PULL_DETAILS.path, [*listing.details, *itemise(more)]
    text = "".join(f"{line}\n" for line in lines)
    if place == OTHERS:
        before = path.read_text("utf-8").partition(OF_EXTERNAL)[0] if path.exists() else ""
        text = before + (OF_EXTERNAL + text if text else "")
    if text:
        documents.write_private(path, text)
    else:
        path.unlink(missing_ok=True)


def _kept_though_passed_by(
    listing: Listing, door: arrivals.Door, present: pd.DataFrame
) -> set[str]:
    """The ids of files whose images are trained on, though the source passes them by now."""
    passed_by = door.known_among(name for names in listing.passed_by.values() for name in names)
    trained = present["image_id"][present["reason"].isna()].map(file_of)
    return passed_by.intersection(trained) - door.arrivals.labels.keys()


def summarise(
    known: pd.DataFrame, new: pd.DataFrame, came: Arrivals, notes: tuple[str, ...]
) -> PullSummary:
    """Count what happened."""
    reasons = new["reason"].fillna("")
    conflicts = reasons.str.startswith(CONFLICT)
    claims = {
        file_of(image_id): reason if str(reason).startswith(CONFLICT) else label
        for image_id, reason, label in known[["image_id", "reason", "label"]].to_numpy().tolist()
    }
    there = (claims.keys() & came.labels.keys()) - came.replaced
    return PullSummary(
        batch=int(new["batch"].iloc[0]) if len(new) else None,
        new=len(new),
        patients=new["patient_id"].nunique(),
        size=came.size,
        known=len(there),
        refused=Counter(reasons[(reasons != "") & ~conflicts].tolist()),
        conflicting=int(conflicts.sum()),
        duplicates=came.counts["duplicates"],
        relabelled=sum(came.claim(file) != claims[file] for file in there),
        redescribed=len(came.redescribed),
        changed=len(came.changed - there),
        fixed=came.counts["fixed"],
        vanished=len(claims.keys() - there - came.changed - came.replaced),
        withdrawn=came.counts["withdrawn"],
        masks=len(came.masks),
        refused_masks=came.counts["refused masks"],
        notes=notes,
    )


@command
def main() -> None:
    """Pull, and say what came; or leave images out, take them back, or say which files they are."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.pull",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--exclude", nargs="+", metavar="ID", help="leave images out")
    choice.add_argument("--include", nargs="+", metavar="ID", help="take excluded images back")
    choice.add_argument("--where", nargs="+", metavar="ID", help="print their names at the source")
    chosen, params = parser.parse_args(), load(Params)
    if chosen.where:
        print("\n".join(originals.where(chosen.where)))
        return
    with cohort.only_writer():
        if chosen.exclude:
            count = exclusion.exclude(params, chosen.exclude)
            print(f"{count:,} images are left out from now on; --include takes them back. {NEXT}")
        elif chosen.include:
            print(f"{exclusion.include(params, chosen.include):,} images are back. {NEXT}")
        else:
            print(pull(params))
            if told := pull_external(load(Params)):  # anew: the classes may have been written down
                print(f"evaluate.external, in {OTHERS.folder}:\n{told}")


if __name__ == "__main__":
    main()
