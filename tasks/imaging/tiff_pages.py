"""The pages of a TIFF 6.0 or BigTIFF, by what their directories say, without any pixel."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.common.errors import DecodeError

MOST_PAGES = 10_000
TYPES = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 13: "u4", 16: "u8"}
SUBFILE, OLD_SUBFILE = 254, 255
REDUCED_OR_MASK, OLD_REDUCED = 0b101, 2


class Page(NamedTuple):
    """A directory of a file.

    Attributes:
        content: the file's bytes.
        order: of the bytes in a number, `<` or `>`.
        number: of the directory in the file, from 0.
        start: where its entries begin.
        entries: `tag`, `kind`, `count` and `value`, the latter as bytes.
    """

    content: bytes
    order: str
    number: int
    start: int
    entries: NDArray[np.void]

    def values(self, tag: int) -> list[int]:
        """The whole numbers of a tag, none where the page lacks it.

        Raises:
            DecodeError: they lie outside of the file, or are no whole numbers.
        """
        found = np.flatnonzero(self.entries["tag"] == tag)
        if not len(found):
            return []
        entry, inline = self.entries[found[0]], self.entries.dtype["value"].itemsize
        kind, count = TYPES.get(int(entry["kind"])), int(entry["count"])
        if kind is None:
            raise DecodeError(f"damaged TIFF: tag {tag} holds no whole numbers")
        at = self.start + (int(found[0]) + 1) * self.entries.itemsize - inline
        if count * int(kind[1]) > inline:
            (at,) = struct.unpack_from(self.order + ("Q" if inline == 8 else "I"), self.content, at)
        if at + count * int(kind[1]) > len(self.content):
            raise DecodeError(f"damaged TIFF: the values of tag {tag} lie outside of the file")
        numbers: list[int] = np.frombuffer(self.content, self.order + kind, count, at).tolist()
        return numbers

    def first(self, tag: int, default: int) -> int:
        """The first number of a tag, `default` where the page lacks it."""
        return next(iter(self.values(tag)), default)

    def is_picture(self) -> bool:
        """Whether it is one of its own: neither another one made smaller nor a mask of one."""
        if self.first(SUBFILE, 0) & REDUCED_OR_MASK:
            return False
        return self.first(OLD_SUBFILE, 0) != OLD_REDUCED


def pages_of(content: bytes) -> list[Page]:
    """The pictures of a file, up to where its chain of directories is damaged or leads back.

    Raises:
        DecodeError: there is none, or more than `MOST_PAGES`.
    """
    directories = _directories(content)
    if not directories:
        raise DecodeError("damaged TIFF: it has no page")
    return [page for page in directories if page.is_picture()] or directories


def _directories(content: bytes) -> list[Page]:
    order, big = "<" if content[:2] == b"II" else ">", b"+" in content[2:4]
    word, count = order + ("Q" if big else "I"), order + ("Q" if big else "H")
    size = 8 if big else 4
    forms = {"tag": f"{order}u2", "kind": f"{order}u2", "count": f"{order}u{size}"}
    entry = np.dtype([*forms.items(), ("value", f"V{size}")])
    found: list[Page] = []
    seen, link = {0}, 8 if big else 4
    try:
        while (at := struct.unpack_from(word, content, link)[0]) not in seen:
            if len(found) == MOST_PAGES:
                raise DecodeError(f"TIFF of more pages; required: at most {MOST_PAGES:,}")
            (entries,) = struct.unpack_from(count, content, at)
            start = at + struct.calcsize(count)
            link = start + entries * entry.itemsize
            struct.unpack_from(word, content, link)  # or it is damaged
            table = np.frombuffer(content, entry, entries, start)
            found.append(Page(content, order, len(found), start, table))
            seen.add(at)
    except (struct.error, OverflowError):
        pass
    return found
