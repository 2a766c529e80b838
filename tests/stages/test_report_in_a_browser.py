"""The report as people with other eyes, small screens and dark themes have it."""

from __future__ import annotations

import json
from pathlib import Path

import axe_core_python
import pytest
from worlds import browser
from worlds import report as world
from worlds.programs import needs

from tasks import report
from tasks.common import paths
from tasks.pictures.page import render
from tasks.reporting.places import fill

AXE = next(Path(axe_core_python.__file__).parent.rglob("axe.min.js"))
PHONE, DESK = 390, 1200
TOLD = {
    "title": "Version 3: worse but within the margin",
    "first": False,
    "undecided": False,
    "measured": ["AUROC 0.950 (0.900 to 0.980), on 1,200 test images"],
    "compared": ["Beside the champion, version 2: worse, AUROC -0.009"],
    "missed": ["sensitivity misses the floor"],
    "reasons": ["sensitivity misses the floor"],
    "ids": {"judged": "2026-01-02", "package": "0123456789abcdef" * 4},
    "machine": {"python": "3.11"},
    "libraries": {"keras": "3.15"},
    "seconds": {"train": 12.5},
}


@pytest.fixture
def shown(workspace, tmp_path):
    """A browser that shows a report with every part, as the gate completes it."""
    world.write_every_part()
    report.main()
    texts = {name: render(f"{name}.html.j2", TOLD) for name in ("verdict", "ids", "run")}
    paths.VERDICT.write_text(fill(paths.REPORT.read_text("utf-8"), texts), encoding="utf-8")
    with browser.page(tmp_path / "profile") as page:
        page.open(paths.VERDICT.resolve().as_uri())
        page.wait_for_text("Which one this is")
        yield page


def grave(page):
    """What axe finds that keeps people from reading."""
    code = "axe.run().then(r => { window.found = JSON.stringify(r.violations) })"
    page.evaluate(f"window.found = ''; {code}; 0")
    found = json.loads(page.wait("window.found"))
    return [
        (one["id"], node["html"][:200])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@needs("chromium", browser.program())
def test_everybody_can_read_it(shown):
    shown.evaluate(AXE.read_text("utf-8") + "; 0")
    shown.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=data: id=bare>')")
    assert [name for name, _ in grave(shown)] == ["image-alt"]  # axe does look
    shown.evaluate("document.getElementById('bare').remove()")
    for width, dark in ((PHONE, False), (DESK, False), (DESK, True)):
        shown.look(width, dark)
        assert grave(shown) == []
        wide = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect()"
        beyond = f"{wide}.right > innerWidth + 1).map(e => e.outerHTML.slice(0, 200))"
        assert shown.evaluate(beyond) == []
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
