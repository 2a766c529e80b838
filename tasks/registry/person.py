"""Who is at work, as far as this machine can tell."""

from __future__ import annotations

import getpass

UNKNOWN = "unknown"


def user() -> str:
    """The user of this machine, which anybody can be who has the account."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a table of users
        return UNKNOWN
