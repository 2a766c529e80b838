"""Some images of the pack, read when they are asked for: all of them may not fit in the memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Pictures(Protocol):
    """N prepared images, in an array or read when they are asked for."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, which: Any, /) -> NDArray[np.uint8]:
        """`(n, H, W, C)`: those of a slice or of an array of positions."""


@dataclass(frozen=True)
class Images:
    """Rows of a pack.

    Attributes:
        pack: `(M, H, W, C)` uint8, memory-mapped.
        rows: `(N,)`, which of them, in their order here.
    """

    pack: NDArray[np.uint8]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> NDArray[np.uint8]:
        """`(n, H, W, C)`: those of a slice or of an array of positions."""
        taken: NDArray[np.uint8] = self.pack[self.rows[which]]
        return taken

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, H, W, C)`."""
        return (len(self.rows), *self.pack.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes of all of them."""
        return math.prod(self.shape) * self.pack.itemsize
