"""Who is at work: by the account at MLflow's server, else as far as this machine can tell."""

from __future__ import annotations

import getpass

from tasks.common import mlflow_server, paths
from tasks.common.errors import RegistryError
from tasks.registry.failures import in_one_line

UNKNOWN = "unknown"
VOUCHED = "an account at MLflow's server"


def user() -> str:
    """The account at MLflow's server; where that has no accounts the user of this machine, which
    anybody can be who has the account.

    Raises:
        RegistryError: the server does not answer, or knows no such account.
    """
    return account() or _of_machine()


@in_one_line()
def account() -> str:
    """Whom MLflow's server knows this process as; empty where nothing asks for a password.

    Raises:
        RegistryError: as of `user`.
    """
    uri = paths.tracking_uri()
    return mlflow_server.account(uri) if mlflow_server.is_one(uri) else ""


def named(by: str) -> tuple[str, str]:
    """The name that stands for a person in the ledger, and what vouches for it, if anything does.

    Args:
        by: the name that the person gives; empty for `user`.

    Raises:
        RegistryError: MLflow's server knows the person by another name; or as of `user`.
    """
    known = account()
    if known and by not in ("", known):
        raise RegistryError(
            f"required: --by {known}, by which MLflow's server knows you, or no --by; received: "
            f"{by}. Whoever that is sets MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    return by or known or _of_machine(), VOUCHED * bool(known)


def _of_machine() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a table of users
        return UNKNOWN
