"""Masks that lie beside the pictures they belong to: they are no pictures of a class."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

Pictures = dict[str, Path]  # by the name without its ending
REASON = "masks of pictures that lie beside them"
_WORDS = "masks?|segm?|segmentations?|labels?|annotations?|gt|ground[-_ ]?truth"
_NAME = re.compile(rf"(?P<picture>.+)[-_. ]({_WORDS})([-_. ]?\d+)?", re.IGNORECASE)
_FOLDER = re.compile(_WORDS, re.IGNORECASE)


def among(files: Iterable[Path]) -> dict[Path, Path]:
    """Which of the image files below a class folder are masks, each with its picture.

    `a_mask.png`, `a_mask_1.png` and `a_segmentation.png` are beside an `a` of any ending. So is
    a file of a folder such as `masks` that has the name of one beside that folder, or in a folder
    beside it, as `images/a.png`; there a mask's name may also end as above.
    """
    files = list(files)
    suspects = [f for f in files if _NAME.fullmatch(f.stem) or _FOLDER.fullmatch(f.parent.name)]
    beside: defaultdict[Path, Pictures] = defaultdict(dict)
    around: defaultdict[Path, Pictures] = defaultdict(dict)
    for file in files if suspects else []:
        beside[file.parent][file.stem] = file
        if not _FOLDER.fullmatch(file.parent.name):
            around[file.parent][file.stem] = file
            around[file.parent.parent][file.stem] = file
    found = {file: _picture(file, beside[file.parent], around) for file in suspects}
    return {mask: picture for mask, picture in found.items() if picture}


def _picture(file: Path, beside: Pictures, around: Mapping[Path, Pictures]) -> Path | None:
    """The picture that a file is the mask of; None if it is none."""
    match = _NAME.fullmatch(file.stem)
    name = match["picture"] if match else ""
    if name in beside:
        return beside[name]
    if not _FOLDER.fullmatch(file.parent.name):
        return None
    pictures = around.get(file.parent.parent, {})
    return pictures.get(file.stem) or pictures.get(name)
