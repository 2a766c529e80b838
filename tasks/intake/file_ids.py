"""What a file is called in `data/raw`, and how it is found under either kind of name.

The id of a file is the keyed pseudonym of the sha256 of its original bytes. In batches that were
pulled before there was a key to it, it is that sha256, and stays it.
"""

from __future__ import annotations

from collections.abc import Collection, Container

from tasks.privacy.pseudonyms import Pseudonyms

SHORTEST = 8  # characters of an id that may stand for it; messages show 12


def file_of(image_id: str) -> str:
    """The id of the file that an image is in."""
    return image_id.partition("-")[0]


class Files:
    """Files by their ids, found under the other kind of id as well: a version of the data, a run or
    a clone may know one by its sha256, another by its keyed id.
    """

    def __init__(self, ids: Collection[str], pseudonyms: Pseudonyms) -> None:
        self._ids: Container[str] = {*ids, *map(pseudonyms.image, ids)}
        self._pseudonyms = pseudonyms

    def __contains__(self, file: object) -> bool:
        return file in self._ids or self._pseudonyms.image(str(file)) in self._ids
