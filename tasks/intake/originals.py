"""What the source calls the files of `data/raw`, and of `data/external/raw`, for whoever owns the
data.

Messages quote ids, since names may identify. The names lie in the state folder, where only the
owner may read them and no version takes them along; every pull writes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from tasks.common import documents
from tasks.common.errors import DataError
from tasks.common.paths import OTHERS, OWN, Place, StateEntry
from tasks.intake.file_ids import SHORTEST

KEPT_IN = {OWN: StateEntry.ORIGINALS, OTHERS: StateEntry.EXTERNAL_ORIGINALS}
Names = Mapping[str, Sequence[str]]  # id of a file -> everywhere that it stands at the source


def note(names: Names, files: Collection[str], place: Place = OWN) -> None:
    """Write down what a pull saw, and keep what earlier ones saw of other sources.

    Args:
        names: what the source has now.
        files: ids of all files of the place; others are forgotten.
        place: where they are.
    """
    kept = {file: at for file, at in ({**_read(place), **names}).items() if file in files}
    documents.write_private(KEPT_IN[place].path, json.dumps(kept))


def where(image_ids: Sequence[str]) -> list[str]:
    """A line for each place at the source of each image: its id, and the name there.

    Args:
        image_ids: of images or whole files; the first characters suffice.

    Raises:
        DataError: one of them is unknown, or several files begin so.
    """
    names = {**_read(OTHERS), **_read(OWN)}
    return [line for given in image_ids for line in _lines(names, given)]


def _lines(names: Names, given: str) -> list[str]:
    beginning, dash, frame = given.partition("-")
    files = [file for file in names if file.startswith(beginning) and len(beginning) >= SHORTEST]
    if len(files) != 1:  # without the id, which may be a name
        raise DataError(
            f"required: an image_id of data/raw, or {SHORTEST} or more of its first characters; "
            f"received: one that {'several files begin with' if files else 'no file has'}, as far "
            "as pulls on this machine have seen. `python -m tasks.pull` looks at the source anew: "
            "pull.path must be what the image came from"
        )
    at = f", frame {frame}" if dash else ""
    return [f"{files[0]}{dash}{frame}  {_shown(name)}{at}" for name in names[files[0]]]


def _shown(name: str) -> str:
    """A name as it can be printed: one that is no text, or would turn the lines, in escapes."""
    return name if name.isprintable() else ascii(name)


def _read(place: Place) -> Names:
    known = documents.read_memo(KEPT_IN[place].path)
    return {file: at for file, at in known.items() if isinstance(at, list)}
