"""What a source calls its patients, kept so that it can be found again but not read.

At pull, every identifying value is cut into *marks*, and their keyed pseudonyms are kept. Whoever
is about to publish a text cuts it into the same marks and looks them up. Three things are marks:

- a word of four letters or more (two, in scripts that write a word in one or two characters), or of
  six characters or more with a digit among them. Shorter ones stand in any text by chance.
- two neighbouring words of two letters or more, in either order: names such as "Wu, Li".
- a whole value with digits and separators, such as `12-34-56`, and a whole UID.

Two rules keep marks from stopping every run. A word that names the kind of file rather than a
patient, as in `scan_0001`, stands in more than half of the names of a pull and is left out. And
when a text is searched, words of the `vocabulary` do not count: they are there whoever the patients
are. Most are a reviewed list, `words/words.txt`, without surnames as far as what is recorded
can do without. Best is one, for `best_epoch`: a patient called so is found with the other half of
the name beside it, or by the id.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tasks.common import slices
from tasks.privacy import words
from tasks.privacy.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

WORD = re.compile(r"[^\W_]+")
LISTED = Path(words.__file__).with_name("words.txt")
BETWEEN = re.compile(r"([\W_]+)")
UID = re.compile(r"(?<![\d.])\d+(?:\.\d+){3,}(?![\d.]*\d)")
# A measurement: its digits are nobody's number.
DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?:e[-+]?\d+)?(?!\d|\.\d)")
LETTERS, IDEOGRAPHS, CHARACTERS = 4, 2, 6  # the least of a word that counts
FIRST_IDEOGRAPH = "\u2e80"
PARTS = 5  # of a whole value, at most
APART = 3  # characters between neighbours, at most
COMMON, SOME = 0.5, 10  # a word of a scheme of names: in this share of them, and in so many


def collect(files: Iterable[Collection[str]], pseudonyms: Pseudonyms) -> set[str]:
    """The keyed marks of the identifying values of each file."""
    found: set[str] = set()
    coded: Counter[str] = Counter()
    count = 0
    for values in files:
        count += 1
        words: set[str] = set()
        for value in values:
            marks = set(of_value(value))
            if _is_code(value):
                words |= {mark for mark in marks if mark.isalpha()}
            found |= marks - words
        coded.update(words)
    found |= {word for word, n in coded.items() if n <= COMMON * count or n < SOME}
    return {pseudonyms.identifier(mark) for mark in found}


def _is_code(value: str) -> bool:
    """A number or the name of a file, rather than words."""
    return any(c.isdigit() for c in value) and not any(c.isspace() for c in value)


def of_value(value: str) -> Iterator[str]:
    """The marks of an identifying value."""
    text = _normal(value)
    if UID.fullmatch(text.strip()):
        yield text.strip()
        return
    words = WORD.findall(text)
    yield from filter(_counts, words)
    for one, other in pairwise(words):
        if _is_part_of_name(one) and _is_part_of_name(other):
            yield from (f"{one} {other}", f"{other} {one}")
    whole = re.sub(r"^[\W_]+|[\W_]+$", "", text)
    if 1 < len(words) <= PARTS and _is_number(whole) and not DECIMAL.fullmatch(whole):
        yield whole


def of_text(text: str) -> set[str]:
    """The marks of a text that may hold identifiers."""
    text = DECIMAL.sub(" ", _normal(text))
    pieces = BETWEEN.split(text)
    words, gaps = pieces[::2], pieces[1::2]
    marks = set(filter(_counts, set(words))) | set(UID.findall(text))
    for at, gap in enumerate(gaps):
        one, other = words[at], words[at + 1]
        if len(gap) <= APART and _is_part_of_name(one) and _is_part_of_name(other):
            marks.add(f"{one} {other}")
        if len(gap) == 1 and not gap.isspace():
            marks.update(_wholes(words, gaps, at))
    return marks


def _wholes(words: list[str], gaps: list[str], at: int) -> Iterator[str]:
    """The possible numbers in parts that begin with the word `at`."""
    whole = words[at]
    for next_ in range(at, min(at + PARTS - 1, len(gaps))):
        if len(gaps[next_]) != 1 or gaps[next_].isspace():
            return
        whole += gaps[next_] + words[next_ + 1]
        if _is_number(whole):
            yield whole


def _counts(word: str) -> bool:
    if any(c.isdigit() for c in word):
        return len(word) >= CHARACTERS
    return len(word) >= (IDEOGRAPHS if word[:1] >= FIRST_IDEOGRAPH else LETTERS)


def _is_part_of_name(word: str) -> bool:
    return len(word) > 1 and word.isalpha()


def _is_number(whole: str) -> bool:
    spaced = any(c.isspace() for c in whole)
    return len(whole) >= CHARACTERS and any(c.isdigit() for c in whole) and not spaced


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def without(marks: Iterable[str], vocabulary: Collection[str]) -> set[str]:
    """The marks that are not made of words of the vocabulary alone; numbers stay."""
    return {m for m in marks if not all(word in vocabulary for word in m.split(" "))}


def words_of(text: str) -> set[str]:
    """The words of a text as `of_text` cuts it, but for numbers: any may be somebody's."""
    found = WORD.findall(DECIMAL.sub(" ", _normal(text)))
    return {word for word in found if any(c.isalpha() for c in word)}


def listed() -> set[str]:
    """The reviewed list."""
    lines = LISTED.read_text("utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


def vocabulary(params: Params, table: pd.DataFrame) -> set[str]:
    """Words that stand in what is published whoever the patients are.

    The reviewed list. Names of classes and of a public collection, and of the window's preset.
    Values of the slices that headers and tables are allowed to give. Of other slices of `table`
    only such as are one word: a name in full there is no slice.
    """
    chosen = [*params.pull.collection.model_dump().values(), params.preprocess.window]
    names = [*params.task.names, *(text for text in chosen if isinstance(text, str))]
    for column in table.columns.intersection(
        [*slices.KNOWN, "modality", "body_part", "compression"]
    ):
        names += list(table[column].dropna().unique())
    for column in slices.further(table):
        names += [text for text in table[column].dropna().unique() if str(text).isalpha()]
    marks = {mark for name in names for mark in of_value(str(name))}  # COVID-19 is one mark
    return listed() | words_of("\n".join(map(str, names))) | set(filter(words_of, marks))
