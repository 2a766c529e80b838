"""Keyed pseudonyms (HMAC-SHA256).

The same identity gives the same pseudonym under one key, and nobody without the key can tell
which pseudonym is whose, not even by trying all the names.
"""

from __future__ import annotations

import hmac
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common import paths
from tasks.common.errors import PrivacyError

if TYPE_CHECKING:
    from tasks.common.params.whole import Params

KEY_BYTES = 32
SHIFT_DAYS = 3650
READABLE, WRITABLE = 0o044, 0o022  # by others than the owner
# Everybody knows this key, so it protects nobody: it is for the synthetic phantom alone.
PUBLIC_KEY = b"medloop phantom: a public key   "


class Pseudonyms:
    """Pseudonyms under one key, each kind of identity in a domain of its own."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def patient(self, identity: str) -> str:
        """The pseudonym of a patient, 16 hexadecimal digits."""
        return _keyed(self._key, "patient", identity.strip()).hex()[:16]

    def uid(self, uid: str) -> str:
        """A DICOM UID under the root 2.25, which takes any 128-bit number."""
        return f"2.25.{int.from_bytes(_keyed(self._key, 'uid', uid.strip())[:16], 'big')}"

    def date_shift(self, identity: str) -> int:
        """By how many days the dates of a patient go back, 1 to 3650."""
        number = int.from_bytes(_keyed(self._key, "date shift", identity.strip())[:8], "big")
        return 1 + number % SHIFT_DAYS

    def source_name(self, name: str) -> str:
        """The pseudonym of a file's name at the source, 16 hexadecimal digits."""
        return _keyed(self._key, "source name", name).hex()[:16]

    def image(self, digest: str) -> str:
        """The id of a file, 64 hexadecimal digits, by the sha256 of its bytes. That alone would
        tell whether a file that somebody has is among the images, removed names included.
        """
        return _keyed(self._key, "image", digest).hex()

    def identifier(self, mark: str) -> str:
        """What stands for a mark of `tasks.privacy.identifiers`, 16 hexadecimal digits."""
        return _keyed(self._key, "identifier", mark).hex()[:16]


def key_id(key: bytes) -> str:
    """The key's fingerprint, which tells nothing about the key."""
    return _keyed(key, "key", "fingerprint").hex()[:16]


def load_key(params: Params) -> bytes:
    """The key that `deid.key_id` names: the public one for the phantom, else that of the key file.

    Raises:
        PrivacyError: the key is missing or another one, or the public key is named for images
            that may show people.
    """
    named, public = params.deid.key_id, key_id(PUBLIC_KEY)
    if params.pull.source == "phantom":
        if named != public:
            raise PrivacyError(
                f"the phantom is pulled with its public key, deid.key_id: {public}; received "
                f"{named}. Set that, and keep your own key for your own images"
            )
        return PUBLIC_KEY
    if named == public:
        raise PrivacyError(
            f"deid.key_id {public} is the phantom's public key, which hides nobody: run `make key` "
            f"before pulling from {params.pull.source!r}"
        )
    return _matching(read_key(paths.key_file()), named)


def _matching(key: bytes, named: str) -> bytes:
    if key_id(key) != named:
        raise PrivacyError(
            f"deid.key_id in params.yaml names the key {named}, {paths.key_file()} holds "
            f"{key_id(key)}: put the named key there (another one would give every patient a "
            "second pseudonym), or run `make key` to go on with the one that is there"
        )
    return key


def read_key(path: Path) -> bytes:
    """The key in a file of 64 hexadecimal digits that nobody but its owner may write.

    Raises:
        PrivacyError: the file is missing, others may write it, or it holds something else.
    """
    try:
        _require_own(path)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise PrivacyError(
            f"no de-identification key at {path}: run `make key`, or copy yours there"
        ) from None
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise PrivacyError(f"{path} must hold a key of {2 * KEY_BYTES} hexadecimal digits")
    return key


def remarks(params: Params) -> list[str]:
    """What a person should know of the key file. Reading is no error: where a secret is mounted,
    nobody can take the right away.
    """
    if params.pull.source == "phantom" or not _rights(paths.key_file()) & READABLE:
        return []
    return [f"others on this machine may read the key: `chmod 600 {paths.key_file().name}`"]


def _require_own(path: Path) -> None:
    """Refuse a key that others can have written, and so know."""
    if (rights := _rights(path)) & WRITABLE:
        raise PrivacyError(
            f"required: a key that nobody but its owner may write; received: {path} with the "
            f"rights {rights:o}. Look whether it is yours still, then `chmod 600` it"
        )


def _rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _keyed(key: bytes, domain: str, value: str) -> bytes:
    return hmac.digest(key, f"{domain}\0{value}".encode(errors="surrogateescape"), "sha256")
