"""Masks that lie beside the pictures they belong to: they are no pictures of a class."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

REASON = "masks of pictures that lie beside them"
_WORDS = "masks?|segm?|segmentations?|labels?|annotations?|gt|ground[-_ ]?truth"
_NAME = re.compile(rf"(?P<picture>.+)[-_. ]({_WORDS})([-_. ]?\d+)?", re.IGNORECASE)
_FOLDER = re.compile(_WORDS, re.IGNORECASE)


def among(files: Iterable[Path]) -> list[Path]:
    """Which of the image files below a class folder are masks.

    `a_mask.png`, `a_mask_1.png` and `a_segmentation.png` are beside an `a` of any ending. So is
    a file of a folder such as `masks` that has the name of one beside that folder, or in a folder
    beside it, as `images/a.png`; there a mask's name may also end as above.
    """
    files = list(files)
    suspects = [f for f in files if _NAME.fullmatch(f.stem) or _FOLDER.fullmatch(f.parent.name)]
    stems: defaultdict[Path, set[str]] = defaultdict(set)
    around: defaultdict[Path, set[str]] = defaultdict(set)
    for file in files if suspects else []:
        stems[file.parent].add(file.stem)
        if not _FOLDER.fullmatch(file.parent.name):
            around[file.parent].add(file.stem)
            around[file.parent.parent].add(file.stem)
    return [file for file in suspects if _is_mask(file, stems[file.parent], around)]


def _is_mask(file: Path, beside: set[str], around: dict[Path, set[str]]) -> bool:
    named = _NAME.fullmatch(file.stem)
    if named and named["picture"] in beside:
        return True
    pictures = around.get(file.parent.parent, set())
    apart = _FOLDER.fullmatch(file.parent.name) is not None
    return apart and (file.stem in pictures or bool(named and named["picture"] in pictures))
