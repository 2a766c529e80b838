"""The files of a tree that a person gave: which are taken, and which are passed by and why."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from tasks.sources import Item, Listing, itemise

# What systems add on their own, in small letters, beside what begins with a dot.
CLUTTER = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "#recycle"}
CLUTTER |= {"$recycle.bin", "system volume information", "lost+found"}
DIRECTORY = "DICOMDIR"  # the index of a medium, always of this name (DICOM PS3.10, 8.6)
RECEIPT = ".whole.json"  # our own, beside each series that was fetched: nobody need hear of it

HIDDEN = "files that are hidden or a system's own, such as .DS_Store, __MACOSX and Thumbs.db"
EXCLUDED = "files by pull.exclude"
NO_FILE = "links that lead nowhere, or what else is no file"
READ_ANYWAY = "links to folders that are read anyway"


class Tree:
    """What lies below a folder, less what is hidden and what patterns exclude.

    Attributes:
        root: what names are relative to.
        passed_by: the names of what was left out, by the reason; a folder counts with its files.
        linked: how many links to folders were followed.
    """

    def __init__(self, root: Path, exclude: Sequence[str]) -> None:
        """`exclude` is `pull.exclude`."""
        self.root = root
        self.passed_by: defaultdict[str, set[str]] = defaultdict(set)
        self.linked = 0
        self._patterns = dict.fromkeys(exclude, 0)  # how much each matched

    def name(self, path: Path) -> str:
        """By which the source knows a file."""
        return path.relative_to(self.root).as_posix()

    def step_into(self, top: Path) -> None:
        """Go on from a folder right below the root, which pays no heed to patterns."""
        for path in self.root.iterdir():
            _ = path == top or self._takes(path)
        self.root = top

    def only_folder(self, parent: Path) -> Path | None:
        """The folder right below one if it is the only one, or the only one not excluded."""
        shown = [path for path in parent.iterdir() if path.is_dir() and not _is_hidden(path)]
        kept = [path for path in shown if not self._matches(PurePosixPath(path.name))]
        return next((found[0] for found in (kept, shown) if len(found) == 1), None)

    def folders(self, parent: Path) -> list[Path]:
        """The folders right below one."""
        return sorted(path for path in parent.iterdir() if path.is_dir() and self._takes(path))

    def files_in(self, parent: Path) -> list[Path]:
        """The files right below a folder."""
        return sorted(p for p in parent.iterdir() if not p.is_dir() and self._takes(p))

    def files(self, folder: Path) -> list[Path]:
        """The files below a folder. Links to folders are followed, each folder is read once.

        Raises:
            OSError: a folder cannot be read.
        """
        return sorted(self._walk(folder))

    def pass_by(self, reason: str, paths: Iterable[Path]) -> None:
        """Leave files out."""
        self.passed_by[reason].update(map(self.name, paths))

    def excludes(self, name: str) -> bool:
        """Whether a pattern matches a file that is known by its name alone, or a folder above."""
        path = PurePosixPath(name)
        excluded = any(self._matches(each) for each in (path, *path.parents[:-1]))
        if excluded:
            self.passed_by[EXCLUDED].add(name)
        return excluded

    def notes(self) -> list[str]:
        """What the log should say."""
        unused = [str(n) for n, used in enumerate(self._patterns.values(), start=1) if not used]
        followed = f"followed: {self.linked:,} links to folders"
        nothing = f"pull.exclude: nothing matches pattern {', '.join(unused)}, by its place there"
        return [*[followed] * bool(self.linked), *[nothing] * bool(unused), *self.counts()]

    def counts(self) -> list[str]:
        """How many were passed by for each reason."""
        told = sorted((why, len(names)) for why, names in self.passed_by.items() if names)
        return [f"passed by: {number:,} {why}" for why, number in told]

    def listing(
        self, items: Sequence[Item], notes: Sequence[str], details: Sequence[str]
    ) -> Listing:
        """The items, and after `notes` and `details` what there is to say of the tree."""
        told = [*details, *itemise(self.passed_by)]
        return Listing(items, [*notes, *self.notes()], told, self.passed_by)

    def _walk(self, folder: Path) -> Iterator[Path]:
        seen = set(map(str, folder.resolve().parents))  # a link to one of them leads back here
        waiting = [folder]
        for top in waiting:  # links come after what lies in the tree itself, and may add to it
            if os.path.realpath(top) in seen:
                self.pass_by(READ_ANYWAY, [top])
                continue
            self.linked += top != folder
            for place, below, names in os.walk(top, onerror=_raise):
                real = os.path.realpath(place)
                folders = [Path(place, name) for name in sorted(below) if real not in seen]
                taken = [path for path in folders if self._takes(path)]
                waiting += [path for path in taken if path.is_symlink()]
                below[:] = [path.name for path in taken if not path.is_symlink()]
                if real not in seen:
                    yield from (p for n in names if self._takes(p := Path(place, n)))
                seen.add(real)

    def _takes(self, path: Path) -> bool:
        """Whether a file or folder is taken; what is not is noted."""
        reason = self._reason(path)
        if reason is None or path.name == RECEIPT:
            return reason is None
        whole = path.is_dir() and not path.is_symlink()
        self.pass_by(reason, (p for p in path.rglob("*") if p.is_file()) if whole else [path])
        return False

    def _reason(self, path: Path) -> str | None:
        if _is_hidden(path):
            return HIDDEN
        if self._patterns and self._matches(PurePosixPath(self.name(path))):
            return EXCLUDED
        return None if path.is_file() or path.is_dir() else NO_FILE

    def _matches(self, name: PurePosixPath) -> bool:
        composed = PurePosixPath(unicodedata.normalize("NFC", str(name)))
        found = [pattern for pattern in self._patterns if composed.match(_normal(pattern))]
        for pattern in found:
            self._patterns[pattern] += 1
        return bool(found)


def _is_hidden(path: Path) -> bool:
    name = path.name
    clutter = name.startswith(".") or name.casefold() in CLUTTER
    return clutter or (name.upper() == DIRECTORY and not path.is_dir())


def _normal(pattern: str) -> str:
    """A pattern is compared from the right and takes folders whole, so `**` at its ends says
    nothing more.
    """
    return unicodedata.normalize("NFC", pattern).removeprefix("**/").removesuffix("/**")


def _raise(error: OSError) -> None:
    raise error
