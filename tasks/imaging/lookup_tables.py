"""Lookup tables of a DICOM header: modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5).

Descriptors often contradict their data. Read here is what pydicom and DCMTK agree on, or else what
shows a picture: both take 12 bits in a table of 16 as nearly black, where other viewers go by the
largest entry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import DataElement, Dataset

from tasks.common.errors import DecodeError
from tasks.imaging.levels import Numbers, Pixels, stretch

LEAST_BITS, MOST_BITS = 8, 16  # of an entry
MOST_ENTRIES = 1 << MOST_BITS
DIMMEST = 16  # a table that reaches no 16th of what it declares shows nothing
COLORS = ("Red", "Green", "Blue")
DISCRETE, LINEAR = 0, 1  # segments (PS3.3 C.7.9.2)
Range = tuple[float, float]


class Table(NamedTuple):
    """A lookup table: entries, the value that the first of them is for, and bits as declared."""

    entries: NDArray[np.uint16]
    first: int
    bits: int

    def of(self, values: Numbers) -> Numbers:
        """The entries for `values`; those below and above the table have its first and last."""
        return self.entries[self.places(values)]

    def places(self, values: Numbers) -> NDArray[np.int64]:
        """Where in the table `values` are."""
        whole = np.rint(values).astype(np.int64) - self.first
        return np.clip(whole, 0, len(self.entries) - 1)


def usable(dataset: Dataset, sequence: str) -> Dataset | None:
    """The first item that holds a table."""
    items = dataset.get(sequence) or []
    return next((item for item in items if "LUTDescriptor" in item and "LUTData" in item), None)


def read(item: Dataset, inputs: Range, little: bool) -> Table:
    """The table of an item of a modality or VOI LUT sequence.

    Args:
        item: what holds the descriptor and the data.
        inputs: the lowest and the highest value that may be looked up.
        little: whether the file is little-endian.

    Raises:
        DecodeError: the descriptor is not of three numbers, or there are no data.
    """
    count, first, bits = _described(item["LUTDescriptor"])
    entries = _entries(_words(item["LUTData"], little), count)
    return Table(entries, _with_sign(first, len(entries), inputs), bits)


def shades(tables: list[Table]) -> list[Pixels]:
    """The entries of tables that belong together as 0 to 255, by the depth of them all."""
    largest = max(int(table.entries.max()) for table in tables)
    bits = depth(max(table.bits for table in tables), largest)
    return [stretch(table.entries, 0, 2**bits - 1) for table in tables]


def depth(declared: int, largest: int) -> int:
    """Bits of an entry: those declared, unless the largest entry has more, fills fewer to the last,
    or is next to nothing in them.
    """
    needed = max(LEAST_BITS, largest.bit_length())
    if not needed <= declared <= MOST_BITS:
        return needed
    filled = largest == 2**needed - 1 and needed <= declared - 2
    return needed if filled or largest * DIMMEST < 2**declared else declared


def colored(dataset: Dataset, stored: Numbers, inputs: Range, little: bool) -> Pixels:
    """`stored`, `(H, W)`, in the colours of the palette, `(H, W, 3)`.

    Raises:
        DecodeError: a table is missing or cannot be read.
    """
    tables = [_palette(dataset, color, inputs, little) for color in COLORS]
    pairs = zip(tables, shades(tables), strict=True)
    return np.dstack([shade[table.places(stored)] for table, shade in pairs])


def _palette(dataset: Dataset, color: str, inputs: Range, little: bool) -> Table:
    name = f"{color}PaletteColorLookupTable"
    descriptor, data, segments = f"{name}Descriptor", f"{name}Data", f"Segmented{name}Data"
    if descriptor not in dataset or not (data in dataset or segments in dataset):
        raise DecodeError(f"a palette without a table for {color.lower()}")
    count, first, bits = _described(dataset[descriptor])
    if data in dataset:
        entries = _entries(_words(dataset[data], little), count)
    else:
        words = _words(dataset[segments], little)
        entries = _expanded(_bytes(words) if bits == LEAST_BITS else words)
    return Table(entries, _with_sign(first, len(entries), inputs), bits)


def _described(descriptor: DataElement) -> tuple[int, int, int]:
    """Entries, the first value and bits."""
    if descriptor.VM != 3:
        raise DecodeError(f"a lookup table with a descriptor of {descriptor.VM} numbers, not 3")
    count, first, bits = (int(number) for number in descriptor.value)
    return count % MOST_ENTRIES or MOST_ENTRIES, first, bits % MOST_ENTRIES


def _entries(words: NDArray[np.uint16], count: int) -> NDArray[np.uint16]:
    """Half as many words as entries are bytes, whatever bits are declared; any other number of
    them is what there is.
    """
    if count > 1 and len(words) == (count + 1) // 2:
        return _bytes(words)[:count].astype(np.uint16)
    if not len(words):
        raise DecodeError("a lookup table without entries")
    return words[:MOST_ENTRIES]


def _with_sign(first: int, count: int, inputs: Range) -> int:
    """The first value, which may be written with the other sign than what is looked up has.

    Signed where this may be negative (PS3.3 C.11.2.1.1), which the type of the element often does
    not show; unsigned where the table would else end before its first value.
    """
    if first >= MOST_ENTRIES // 2 and inputs[0] < 0:
        return first - MOST_ENTRIES
    ends_before = first < 0 and first + count <= inputs[0]
    return first + MOST_ENTRIES if ends_before else first


def _words(element: DataElement, little: bool) -> NDArray[np.uint16]:
    """Data as words. Only OW turns its bytes in a big-endian file."""
    value = element.value
    if isinstance(value, bytes):
        order = "<u2" if little or element.VR == "OB" else ">u2"
        return np.frombuffer(value[: len(value) // 2 * 2], order).astype(np.uint16)
    numbers = np.atleast_1d(np.array(value, np.int64))
    return (numbers % MOST_ENTRIES).astype(np.uint16)


def _bytes(words: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Two entries in a word, the first in its low byte (PS3.3 C.7.6.3.1.6)."""
    return words.astype("<u2").view(np.uint8)


def _expanded(segments: Numbers) -> NDArray[np.uint16]:
    """The entries of segmented data.

    Raises:
        DecodeError: a segment is damaged, begins with a line, or repeats others: readers do not
            agree on where those would be.
    """
    entries: list[int] = []
    at = 0
    while at + 2 < len(segments) and len(entries) < MOST_ENTRIES:
        kind, count = int(segments[at]), int(segments[at + 1])
        if kind == DISCRETE:
            entries += segments[at + 2 : at + 2 + count].tolist()
            at += 2 + count
        elif kind == LINEAR and entries:
            line = np.linspace(entries[-1], int(segments[at + 2]), count + 1)[1:]
            entries += np.rint(line).astype(int).tolist()
            at += 3
        else:
            raise DecodeError("a palette in segments of a kind that is not read here")
    return np.array(entries[:MOST_ENTRIES], np.uint16)
