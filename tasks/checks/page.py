"""What came of the expectations as one page, which loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from tasks.checks import templates
from tasks.checks.suites import Finding
from tasks.common.wording import allowed

TEMPLATES = Path(templates.__file__).parent


def render(findings: Sequence[Finding]) -> str:
    """The page; all text in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["allowed"] = allowed
    return environment.get_template("findings.html.j2").render(findings=findings)
