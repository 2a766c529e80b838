"""Every lock pins all that `pyproject.toml` asks for, and names no host."""

from __future__ import annotations

import re
import tomllib

import pytest
from worlds.project import ROOT

EXTRAS = {
    "requirements.lock": [],
    "requirements-gpu.lock": ["gpu"],
    "requirements-gpu-jax.lock": ["gpu-jax"],
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def wanted(*extras):
    """Names of the packages that the project and these extras ask for."""
    found = set()
    asked = [
        *PROJECT["dependencies"],
        *(line for name in extras for line in PROJECT["optional-dependencies"][name]),
    ]
    for line in asked:
        name, within = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line).groups()
        found |= wanted(*within.split(",")) if name == "medloop" else {name.lower()}
    return found


@pytest.mark.parametrize("lock", EXTRAS)
def test_it_pins_everything(lock):
    text = (ROOT / lock).read_text()
    pinned = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    assert wanted("dev", *EXTRAS[lock]) <= pinned
    assert "://" not in text
