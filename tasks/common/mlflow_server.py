"""A server of MLflow's, asked without MLflow, which takes seconds to import."""

from __future__ import annotations

import os
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

SECONDS = 5.0  # for an answer
SCHEMES = ("http://", "https://")
PASSWORD = re.compile(r"//[^/@\s]+@")
NOT_FOUND = 404


def is_one(uri: str) -> bool:
    """Whether a tracking URI names a server, not a file or a database."""
    return uri.startswith(SCHEMES)


def address(uri: str) -> str:
    """A tracking URI without the password that it may hold."""
    return PASSWORD.sub("//", uri)


def ask(uri: str, what: str, **which: str) -> Any:
    """What a server says of a resource of MLflow's REST interface.

    Raises:
        requests.RequestException: nothing.
        ValueError: what is no JSON.
    """
    answer = _get(uri, what, which)
    answer.raise_for_status()
    return answer.json()


def account(uri: str) -> str:
    """The name of the account that a server knows this process by; empty where it has no accounts,
    as MLflow's own without its app `basic-auth`.

    Raises:
        requests.RequestException, ValueError: as of `ask`.
    """
    answer = _get(uri, "users/current", {})
    if answer.status_code == NOT_FOUND:
        return ""
    answer.raise_for_status()
    told = answer.json()
    return str(told.get("user", told).get("username", ""))


def _get(uri: str, what: str, which: dict[str, str]) -> Any:
    import requests

    url = f"{uri.rstrip('/')}/api/2.0/mlflow/{what}"
    return requests.get(url, which, timeout=SECONDS, verify=_verify(), **_credentials())


def _credentials() -> dict[str, Any]:
    """As MLflow finds them: in the environment, or in its file."""
    user, password = _told("USERNAME"), _told("PASSWORD")
    if user and password:
        return {"auth": (user, password)}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"headers": {"Authorization": f"Bearer {token}"}} if token else {}


def _told(what: str) -> str | None:
    name, file = f"MLFLOW_TRACKING_{what}", ConfigParser()
    file.read(Path("~/.mlflow/credentials").expanduser())
    return os.environ.get(name) or file.get("mlflow", name.lower(), fallback=None)


def _verify() -> str | bool:
    """What the server's certificate is held to."""
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure
