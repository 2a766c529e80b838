"""Make the de-identification key and name it in params.yaml: `make key`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tasks.common import editing, paths
from tasks.common.errors import command
from tasks.privacy.pseudonyms import KEY_BYTES, key_id, read_key


def make(path: Path) -> None:
    """Write a random key that only its owner may read; an existing key is never replaced.

    Raises:
        FileExistsError: there is a file already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES))


@command
def main() -> None:
    """Make a key unless there is one, and set `deid.key_id` to its fingerprint."""
    path = paths.key_file()
    try:
        make(path)
        print(f"New key in {path}. Keep a copy in a safe place: without it, later images of the")
        print("same patients cannot be recognised. It never enters git, MLflow or an artifact.")
    except FileExistsError:
        print(f"There is a key in {path} already; it stays.")
    diff = editing.set_values(paths.PARAMS, {"deid.key_id": key_id(read_key(path))})
    print(diff or "deid.key_id names it already.", end="\n" if not diff else "")


if __name__ == "__main__":
    main()
