"""What the READMEs tell a person to type."""

from __future__ import annotations

import re
from pathlib import Path

from worlds.project import ROOT

LANGUAGES = ("README.md", "README.zh.md")


def blocks(name: str, language: str = "sh") -> list[str]:
    """The fenced blocks of a README that are in `language`, without comments."""
    text = (ROOT / name).read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r" *#.*", "", block) for block in found]


def recipe(name: str, remote: Path) -> str:
    """The block that carries data and models to another machine, by way of the folder `remote`."""
    (block,) = (block for block in blocks(name) if "dvc remote add" in block)
    assert block.count("s3://bucket/medloop") == 1
    return block.replace("s3://bucket/medloop", str(remote))
