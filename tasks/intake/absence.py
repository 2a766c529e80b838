"""Which names of classes say that something is not there: in a binary task such a class is the
negative one.
"""

from __future__ import annotations

import re

WORDS = {"normal", "normals", "negative", "negatives", "neg", "benign", "healthy", "control"}
WORDS |= {"controls", "none", "nothing", "other", "others", "absent", "absence", "background"}
WORDS |= {"uninfected", "unaffected", "false", "0"}
NEGATIONS = {"no", "non", "not", "without", "free"}  # of the words beside them
PREFIXES = ("no", "non", "not", "without", "un", "in")  # of the other class: notumor, NonCOVID
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def negative_first(first: str, second: str) -> list[str] | None:
    """Two classes with the one first that says absence; None where neither or both do."""
    absent = [says_absence(first, second), says_absence(second, first)]
    if absent[0] == absent[1]:
        return None
    return [first, second] if absent[0] else [second, first]


def says_absence(name: str, other: str) -> bool:
    """Whether a name says absence, on its own or as the negation of the other class.

    `normal`, `Benign cases`, `no_nodule`, `tumor-free` and `NoFinding` do, `notumor` does beside
    `tumor`; `abnormal`, `not normal` and `unhealthy` do not.
    """
    words, others = _words(name), _words(other)
    if "".join(words) in {prefix + "".join(others) for prefix in PREFIXES}:
        return not WORDS.intersection(others)
    return bool(WORDS.intersection(words)) != bool(NEGATIONS.intersection(words))


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", _CAMEL.sub(" ", name).casefold())
