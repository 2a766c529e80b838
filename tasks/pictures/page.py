"""A self-contained HTML page from a template: how values are worded, and tables cut from JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from tasks.common import slices
from tasks.common.wording import (
    allowed,
    ends,
    far_below,
    heatmaps,
    interval,
    judged,
    leak,
    number,
    too_small,
)
from tasks.pictures import templates

TEMPLATES = Path(templates.__file__).parent
TEXT = ("data", "string")  # tokens of Jinja's lexer that hold it
WORDS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "ece": "expected calibration error",
    "loss": "cross-entropy",
    "id": "ID",
    "int8": "int8",
    "jpeg": "JPEG",
    "changed": "called otherwise",
    "judged": "enough patients",
}


def render(template: str, content: Mapping[str, Any]) -> str:
    """The page, HTML or Markdown. `content` holds what the template names; all text in it is
    escaped, in Markdown without quotation marks, which make no tag there.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    wordings = (far_below, too_small, heatmaps, judged, leak, number, ends, allowed)
    filters = (*wordings, worded, heading, pairs, grids, grid)
    environment.filters |= {filter_.__name__: filter_ for filter_ in filters}
    page = environment.get_template(template).render(content)
    return page.replace("&#39;", "'").replace("&#34;", '"') if ".md." in template else page


def own_text() -> str:
    """What pages say whatever the data are: the text of the templates, without Jinja's code and
    comments, and the words for keys.
    """
    lex = jinja2.Environment().lex
    tokens = [t for file in TEMPLATES.glob("*.j2") for t in lex(file.read_text("utf-8"))]
    return "\n".join([*(text for _, kind, text in tokens if kind in TEXT), *WORDS.values()])


def data_uri(picture: bytes) -> str:
    """A PNG as part of the page."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def worded(value: object) -> str:
    """A value as a person reads it; keys of our own go through `heading`."""
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        if "value" in value:
            return interval(value)
        return ", ".join(f"{key} {worded(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(worded(item) for item in value)
    return str(value)


def heading(key: str) -> str:
    """A key of ours as a heading: `val_auroc` is `Val AUROC`."""
    words = [WORDS.get(word, word) for word in slices.name_of(key).split("_")]
    text = " ".join(words)
    return text if words[0] == "int8" else text[:1].upper() + text[1:]


class Grid(NamedTuple):
    """A table: its headings, and each row's name and cells."""

    headings: list[str]
    rows: list[tuple[str, list[Any]]]


def _is_grid(value: object) -> bool:
    """Whether `value` maps names to mappings, as a table does."""
    return isinstance(value, Mapping) and all(
        isinstance(row, Mapping) and "value" not in row for row in value.values()
    )


def pairs(items: Mapping[str, Any]) -> dict[str, Any]:
    """What is no table of its own, under its heading."""
    return {heading(key): value for key, value in items.items() if not _is_grid(value)}


def grids(items: Mapping[str, Any]) -> dict[str, Grid]:
    """What is a table of its own, under its heading."""
    return {heading(key): grid(value) for key, value in items.items() if value and _is_grid(value)}


def grid(items: Mapping[str, Mapping[str, Any]], fields: bool = False) -> Grid:
    """The table of a mapping of mappings. Names from the data, of rows and in inner mappings (each
    becomes a column), stay as they are; those of `fields` of ours become headings.
    """
    rows = {heading(name) if fields else name: _flat(row) for name, row in items.items()}
    headings = list(dict.fromkeys(heading for row in rows.values() for heading in row))
    return Grid(
        headings, [(name, [row.get(heading) for heading in headings]) for name, row in rows.items()]
    )


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping) and "value" not in value:
            cells |= {str(name): inner for name, inner in value.items()}
        else:
            cells[heading(key)] = value
    return cells
