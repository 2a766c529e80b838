"""Letters that the font of the pictures lacks: drawn in another font of this machine, or else
spelled in Latin letters.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from anyascii import anyascii
from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

FIRST = "DejaVu Sans"  # matplotlib brings it, so what it has is drawn alike everywhere
PACKAGE = "noto_cjk_sans_otc"  # of the optional dependencies `fonts`
PLAIN = ("Regular", "Book", "Medium")  # how the files of plain upright fonts are called


class Substitutes(NamedTuple):
    """The families of the fonts to take beside the first one, and what no font here has."""

    families: list[str]
    left: frozenset[str]


def make_legible(figure: Figure) -> None:
    """Let all text of a figure be drawn without boxes in place of letters."""
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    for axis in axes:
        axis.get_ticklabels()  # which writes them
    texts = figure.findobj(Text)
    lacking = lacking_in(FIRST, (text.get_text() for text in texts))
    if not lacking:
        return
    found = _substitutes(lacking)
    for text in texts:
        text.set_fontfamily([FIRST, *found.families])
    if found.left:
        _say()
        _spell(axes, texts, found.left)


def spelled(names: Iterable[str]) -> dict[str, str]:
    """How pictures spell those names that they cannot show as they are."""
    names = list(names)
    lacking = lacking_in(FIRST, names)
    left = _substitutes(lacking).left if lacking else frozenset()
    return {name: _in_latin(name, left) for name in names if left.intersection(name)}


def lacking_in(family: str, texts: Iterable[str]) -> frozenset[str]:
    """The letters of `texts` that a font has not."""
    letters = {letter for text in texts for letter in text if letter.isprintable()}
    return frozenset(letter for letter in letters if ord(letter) not in _letters_of(family))


@cache
def _letters_of(family: str) -> frozenset[int]:
    return frozenset(FT2Font(font_manager.findfont(family)).get_charmap())


@cache
def _substitutes(lacking: frozenset[str]) -> Substitutes:
    """The font that has most of `lacking`, the one that has most of the rest, and so on."""
    having = {path: had for path in _files() if (had := _has(path, lacking))}
    families, left = [], set(lacking)
    while best := max(having, key=lambda path: len(having[path] & left), default=None):
        if not having[best] & left:
            break
        left -= having[best]
        font_manager.fontManager.addfont(best)
        families.append(FT2Font(best).family_name)
    return Substitutes(families, frozenset(left))


def _files() -> list[str]:
    """The font files of this machine, plain upright ones first."""
    package = find_spec(PACKAGE)
    folders = list(package.submodule_search_locations or []) if package else []
    brought = font_manager.findSystemFonts(folders) if folders else []
    files = {*font_manager.findSystemFonts(), *brought}
    return sorted(files, key=lambda path: (not Path(path).stem.endswith(PLAIN), path))


def _has(path: str, letters: frozenset[str]) -> set[str]:
    """Which of the letters a font file has; of bitmaps, which cannot be drawn in any size, none."""
    try:
        known = FT2Font(path).get_charmap()
    except (OSError, RuntimeError):
        return set()
    return {letter for letter in letters if ord(letter) in known}


@cache
def _say() -> None:
    """Once per process."""
    print(
        "Pictures spell some names in Latin letters, since no font of this machine has theirs: "
        "install one, such as Debian's fonts-noto-cjk, or `pip install noto-cjk-sans-otc`",
        file=sys.stderr,
        flush=True,
    )


def _spell(axes: Iterable[Axis], texts: Iterable[Text], left: frozenset[str]) -> None:
    for axis in axes:  # ticks are written anew whenever they are drawn
        labels = [label.get_text() for label in axis.get_ticklabels()]
        if left.intersection("".join(labels)):
            axis.set_ticklabels([_in_latin(label, left) for label in labels])
    for text in texts:
        text.set_text(_in_latin(text.get_text(), left))


def _in_latin(text: str, left: frozenset[str]) -> str:
    return "".join(anyascii(letter) if letter in left else letter for letter in text)
