"""What checklists and change protocol say whatever the data are."""

from __future__ import annotations

import ast
from pathlib import Path


def own_text() -> str:
    """The texts in the code of this room."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return "\n".join(text for text in texts if isinstance(text, str))
