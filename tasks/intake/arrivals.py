"""What the source shows in one pull, held against what `data/raw` has: what comes, what stays."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.common import digests, manifest, paths, slices
from tasks.common.errors import DecodeError, SourceError
from tasks.common.paths import OWN, Place
from tasks.common.progress import progress
from tasks.imaging import masks
from tasks.imaging.deidentification import Clean, deidentify, identifiers
from tasks.intake import cohort
from tasks.intake.file_ids import file_of
from tasks.privacy.pseudonyms import Pseudonyms
from tasks.sources import Item
from tasks.sources.selection import chosen

if TYPE_CHECKING:
    from tasks.common.params.pull import Pull
    from tasks.common.params.whole import Params

CONFLICT = "two labels: "  # reason of an image that the source shows under several labels
Row = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What `data/raw` has: ids of files with and without a copy, and with a mask, ids by the
    pseudonym of the name at the source, a row of each file, and who was withdrawn.
    """

    copied: frozenset[str]
    failed: frozenset[str]
    masked: frozenset[str]
    names: Mapping[str, str]
    rows: Mapping[str, Mapping[Any, Any]]
    patients: frozenset[str]
    images: frozenset[str]

    def has(self, file: str) -> bool:
        """Whether a file came under this id before, be it refused or withdrawn."""
        return file in self.copied or file in self.failed or file in self.images


@dataclass
class Arrivals:
    """What came, by the id of the file.

    Attributes:
        labels: every label under which the source shows a file.
        rows: the new rows of a file.
        names: what the source calls a file that is in `data/raw`, everywhere that it stands there.
        identities: identifying values of each file, as the source and the header have them.
        replaced: known files without a copy that a new row takes the place of.
        changed: known files that have other bytes at the source now.
        masks: the new mask of a file, under `data/raw`.
        redescribed: files with another patient, split or slice than was taken first.
        counts: `duplicates`, `fixed`, `withdrawn`, `refused masks`.
        size: bytes of the new files.
    """

    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    rows: dict[str, list[Row]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    identities: list[set[str]] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    masks: dict[str, str] = field(default_factory=dict)
    redescribed: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    size: int = 0

    def claim(self, file: str) -> str:
        """The label of a file, or that it has several."""
        found = sorted(self.labels[file])
        return found[0] if len(found) == 1 else CONFLICT + ", ".join(found)


def known_of(table: pd.DataFrame, withdrawn: Mapping[str, Sequence[str]]) -> Known:
    """What the cohort and the record of withdrawals say."""
    files = table["image_id"].map(file_of)
    copied = frozenset(files[table["path"].notna()])
    named = table["source_name"].notna()
    columns = ["patient_id", "source_split", *slices.KNOWN, *slices.further(table)]
    return Known(
        copied,
        frozenset(files) - copied,
        frozenset(files[table["mask"].notna()]),
        dict(zip(table.loc[named, "source_name"], files[named], strict=True)),
        dict(zip(files, table[columns].to_dict("records"), strict=True)),
        frozenset(withdrawn) - {""},
        frozenset(file for files in withdrawn.values() for file in files),
    )


class Door:
    """Takes items in: reads each once, writes the new ones, de-identified, under `data/raw`.

    One after the other: with threads it took as long, since parsing DICOM holds the interpreter.
    """

    def __init__(
        self,
        params: Params,
        pseudonyms: Pseudonyms,
        known: Known,
        all_headers: bool,
        place: Place = OWN,
    ) -> None:
        """`all_headers`: read those of known files too, for their identifying values."""
        self._pull, self._burned_in = params.pull, params.deid.burned_in
        self._scopes = _scopes(params.pull)
        self._pseudonyms, self._known, self._all_headers = pseudonyms, known, all_headers
        self._place = place
        self.arrivals = Arrivals()

    def bring(self, items: Sequence[Item]) -> Arrivals:
        """Take every item in.

        Raises:
            SourceError: a file cannot be read.
            DataError: `data/raw` cannot be written.
        """
        for item in progress(items, "Reading the source"):
            self.arrivals.identities.append(identities(item))
            self._take(item)
        return self.arrivals

    def _take(self, item: Item) -> None:
        known, arrivals = self._known, self.arrivals
        if item.patient_id and self._pseudonyms.patient(item.patient_id) in known.patients:
            arrivals.counts["withdrawn"] += 1
            return
        content = _read(item, item.read)
        file = self._id_of(content)
        name = self._name(item.name)
        before = known.names.get(name, file)
        if file in known.images:
            arrivals.counts["withdrawn"] += 1
        elif file in arrivals.labels or file in known.copied:
            arrivals.counts["duplicates"] += file in arrivals.labels
            arrivals.labels[file].add(item.label)
            arrivals.names[file].append(item.name)
            self._compare(item, file)
            self._bring_mask(item, file)
            if self._all_headers:
                arrivals.identities[-1] |= identifiers(content)
        elif before != file and before in known.copied:
            arrivals.changed.add(before)
            arrivals.names[before].append(item.name)
        else:
            self._bring_one(item, content, file, name, before)

    def _id_of(self, content: bytes) -> str:
        """The id under which a file is known, else a keyed one."""
        digest = hashlib.sha256(content).hexdigest()
        return digest if self._known.has(digest) else self._pseudonyms.image(digest)

    def known_among(self, names: Iterable[str]) -> set[str]:
        """The ids of files in `data/raw` that have these names at the source."""
        return {file for name in names if (file := self._known.names.get(self._name(name)))}

    def _name(self, name: str) -> str:
        """The pseudonym by which a file's name is known, or from now on will be."""
        keyed = [self._pseudonyms.source_name(f"{scope}\0{name}") for scope in self._scopes]
        return next((one for one in keyed if one in self._known.names), keyed[0])

    def _said(self, item: Item) -> Row:
        """What the source itself says of an image, in the cohort's columns."""
        said: Row = dict(item.slices)
        if item.patient_id:
            said["patient_id"] = self._pseudonyms.patient(item.patient_id)
        if item.source_split:
            said["source_split"] = item.source_split
        return said

    def _compare(self, item: Item, file: str) -> None:
        """Hold a further claim about a file against the first. Of a new file that stands on another
        side of the source's split too, which is a leak, both sides are noted, and the rest is what
        the source says on the one nearest to the test.
        """
        brought, said = self.arrivals.rows.get(file), self._said(item)
        row: Mapping[Any, Any] = brought[0] if brought else self._known.rows[file]
        sides, side = _sides(row), said.get("source_split")
        if brought and sides and side and side not in sides:
            sides = sorted([*sides, side], key=manifest.SPLITS.index)
            for one in brought:
                one |= (said if side == sides[-1] else {}) | {"source_split": "|".join(sides)}
        elif side not in sides[:-1]:
            told = {**row, "source_split": sides[-1] if sides else None}
            if any(told.get(column) != value for column, value in said.items()):
                self.arrivals.redescribed.add(file)

    def _bring_one(self, item: Item, content: bytes, file: str, name: str, before: str) -> None:
        """Write one file and note its rows: one, or one per frame that is taken."""
        row: Row = {"label": item.label, "source_name": name}
        said, arrivals = self._said(item), self.arrivals
        try:
            clean = deidentify(content, self._pseudonyms, self._burned_in)
        except DecodeError as error:
            rows = [{"image_id": file, "reason": str(error), **row, **said}]
        else:
            row |= {"path": f"{file[:2]}/{file}{clean.suffix}", **clean.attributes, **said}
            arrivals.identities[-1] |= clean.identifiers
            if row.get("patient_id") in self._known.patients:
                arrivals.counts["withdrawn"] += 1
                return
            cohort.write_image(row["path"], clean.content, self._place)
            rows = [{"image_id": image_id, **row} for image_id in self._image_ids(file, clean)]
            self._bring_mask(item, file)
        arrivals.labels[file].add(item.label)
        arrivals.names[file].append(item.name)
        if file in self._known.failed and "reason" in rows[0]:
            return  # tried again in vain: its row stays
        replaced = {before, file} & self._known.failed
        arrivals.replaced |= replaced
        arrivals.counts["fixed"] += bool(replaced) and "reason" not in rows[0]
        arrivals.rows[file] = rows
        arrivals.size += len(content)

    def _bring_mask(self, item: Item, file: str) -> None:
        """Write the mask of a file that has none. What the source says otherwise later is not
        followed, as of the image itself.
        """
        if not item.masks or file in self._known.masked or file in self.arrivals.masks:
            return
        try:
            content = masks.unite(_read(item, read) for read in item.masks.values())
        except DecodeError:
            self.arrivals.counts["refused masks"] += 1
            return
        path = f"{file[:2]}/{file}.mask.png"
        cohort.write_image(path, content, self._place)
        self.arrivals.masks[file] = path

    def _image_ids(self, file: str, clean: Clean) -> list[str]:
        if clean.frames == 1:
            return [file]
        return [f"{file}-{frame}" for frame in chosen(clean.frames, self._pull.take)]


def identities(item: Item) -> set[str]:
    """What the source itself says of an item: the patient, and the file's name with its folders."""
    name = PurePosixPath(item.name.replace("\\", "/"))
    return {*name.parent.parts, name.stem, *([item.patient_id] if item.patient_id else [])}


def _sides(row: Mapping[Any, Any]) -> list[str]:
    """The sides of the source's split that a row is known on, the nearest to the test last."""
    known = row.get("source_split")
    return known.split("|") if isinstance(known, str) else []


def _scopes(pull: Pull) -> list[str]:
    """What a file's name at the source is a name in: another folder may have the same names.

    The first is for new files; those of other spellings of `pull.path` find the files of before.
    """
    return [
        digests.of_json(
            [pull.source, path, pull.collection.name, pull.phantom.seed, pull.medmnist.model_dump()]
        )
        for path in (_spellings(pull.path) if pull.path else [pull.path])
    ]


def _spellings(path: str) -> list[str]:
    """One spelling of a path first, whichever was given, then that, and others that mean the same.

    A path inside the workspace is relative to it, so that both can move. A link is not resolved in
    the first: where it leads to a newer release, changed files are still known by their names.
    """
    there, here = Path(path).expanduser(), paths.root()
    places = dict.fromkeys([Path(os.path.normpath(Path.cwd() / there)), there.resolve()])
    plain = [
        f"{before}{place.relative_to(base)}"
        for place in places
        for base, before in ((here, ""), (here, "./"), (Path("/"), "/"), (Path.home(), "~/"))
        if place.is_relative_to(base)
    ]
    return list(dict.fromkeys([plain[0], path, *plain, *(f"{each}/" for each in plain)]))


def _read(item: Item, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except OSError as error:  # without the file's name, which may identify
        raise SourceError(
            f"a file of label {item.label!r} cannot be read ({error.strerror}): check the rights "
            "of the files at the source and whether it is still there, then pull again; what was "
            "pulled before is still there"
        ) from None


def as_batch(arrivals: Arrivals, batch: int) -> pd.DataFrame:
    """The new rows in the order of their ids; an image under several labels gets a reason."""
    rows = []
    for file, images in arrivals.rows.items():
        claim = arrivals.claim(file)
        conflict = {"reason": claim} if claim.startswith(CONFLICT) else {}
        rows += [{"reason": None, **conflict, **image, "batch": batch} for image in images]
    columns = dict.fromkeys([*manifest.COHORT, *(column for row in rows for column in row)])
    table = pd.DataFrame(rows, columns=list(columns))
    return table.sort_values("image_id", ignore_index=True)


def with_masks(table: pd.DataFrame, found: Mapping[str, str]) -> pd.DataFrame:
    """The cohort with masks that came; a file of several frames does not say which one it is of."""
    pairs = zip(table["image_id"], table["mask"], strict=True)
    return table.assign(mask=[found.get(image_id, mask) for image_id, mask in pairs])
