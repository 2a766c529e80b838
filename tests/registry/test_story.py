"""A year of one registered model, in fifteen verdicts, and its first weeks in a real browser."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from worlds import browser
from worlds.loopback import free_port, reached, wait_for
from worlds.programs import needs
from worlds.project import ROOT, environment
from worlds.registry import NAME, aliases, answered, kinds, make_result, new_model

from tasks.common import editing, labels, paths, servers
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import account, ledger, promotion, scoring
from tasks.registry.gate import gate
from tasks.registry.promotion import Said
from tasks.registry.store import connect
from tasks.registry.watching import watch

IMAGES = 800  # half of them test
STEP = 0.03  # of separation, by which each of ten models is worse than the champion of its day


@pytest.fixture
def separation(workspace, empty_store, monkeypatch):
    """Version -> how far its scores part the two outcomes, on noise that all share."""
    paths.store().mkdir()
    shutil.copy(empty_store, paths.store() / "mlflow.db")
    make_result(IMAGES)
    floors = ("auroc", "sensitivity", "specificity", "slice_auroc", "slice_sensitivity")
    values = {f"gate.floors.{name}": 0.0 for name in floors}
    margins = {"gate.margin": 0.02, "gate.reference_margin": 0.02}
    editing.set_values(paths.PARAMS, values | margins | {"gate.floors.calibration_error": 1.0})
    parts = {}

    def ask(package, images):
        version = int(package.name.removeprefix("version_"))
        truth = labels.encode(images["label"], "binary", ["no_nodule", "nodule"])
        shared, own = (
            np.random.default_rng(seed).normal(size=truth.shape) for seed in (0, version)
        )
        found = 0.5 + 0.1 * (truth - 0.5) * parts[version] + 0.04 * shared + 0.004 * own
        return answered(found)

    monkeypatch.setattr(scoring, "ask", ask)
    return parts


def judged(separation, number, parts):
    """The verdict on one more model."""
    separation[number] = parts
    assert new_model(number) == number
    return gate(load(Params))


@pytest.mark.slow
def test_a_year(separation, capsys):
    assert judged(separation, 1, 1.0) == "first"
    client = connect()
    assert judged(separation, 2, 1.3) == "better"
    client.set_registered_model_alias(NAME, "champion", "2")  # in the browser
    watch(NAME, [])
    assert kinds()[-1] == ("promoted", 2)
    assert judged(separation, 3, 1.3) == "not worse"
    assert judged(separation, 4, 0.6) == "failed"

    promotion.promote(NAME, 1, Said("ada", "the camera of version 2 was replaced"))
    champion, refused = 1.0, []
    for number in range(5, 15):
        word = judged(separation, number, champion - STEP)
        if word == "failed":
            refused.append(ledger.read()[-1].facts["figures"]["compared"])
        else:
            assert word in ("not worse", "worse but within the margin")
            promotion.promote(NAME, number, Said("ada"))
            champion -= STEP
    assert 0 < len(refused) < 10
    words = [
        {name.partition(",")[0]: found["word"] for name, found in one.items()} for one in refused
    ]
    assert all(word["the reference"] == "failed" for word in words)
    assert any(word["the champion"] != "failed" for word in words)

    served = aliases(client)["champion"]
    client.set_registered_model_alias(NAME, "champion", "4")  # in the browser, and it failed
    watch(NAME, [])
    assert aliases(client)["champion"] == served
    assert client.get_model_version(NAME, "4").tags["promotion.refused"].startswith("it failed")

    before = ledger.reigns(ledger.read(), NAME)[-2].version
    assert promotion.roll_back(NAME, Said("grace", "complaints")) == before
    told = account.history(NAME)
    assert "rolled back to | by: grace | reason: complaints" in told
    rows = told.splitlines()
    entries = rows[rows.index("Entries") + 1 :]
    reasons = [row for row in entries if row.startswith("      ")]
    assert len(entries) - len(reasons) == len(ledger.read())
    assert max(map(len, reasons)) <= 100
    (at,) = (k for k, row in enumerate(entries) if row.endswith("version 4    refused"))
    assert entries[at + 1].startswith("      - it failed: ")
    assert "promoted | where: MLflow, which does not tell by whom" in told
    assert account.verify(NAME).startswith("the chain of entries is whole: ")


@contextmanager
def make_server(workspace, folder):
    """`make server` of a workspace; gives MLflow's address."""
    ports = [free_port(), free_port()]
    variables = dict(zip(servers.VARIABLES.values(), map(str, ports), strict=True))
    variables |= {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "prefect")}
    command = [sys.executable, "-m", "flows.server"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=workspace, env=environment(**variables), stdout=log, stderr=log
        )
        try:
            for port, page in zip(ports, ("health", "api/health"), strict=True):
                url = f"http://127.0.0.1:{port}/{page}"
                wait_for(lambda url=url: reached(url), 180, url)
            yield f"http://127.0.0.1:{ports[0]}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def open_version(page, base, number):
    page.open("about:blank")  # the same page again would not be loaded again
    page.open(f"{base}/#/models/{NAME}/versions/{number}{servers.OF_UI}")
    page.wait_for_text(f"Version {number}: ")


def crown(page, base, number):
    """Give the alias to a version, as a person does."""
    field = "document.querySelector('[role=dialog] input[type=search]')"
    open_version(page, base, number)
    page.click("[data-component-id*='modelversionviewaliaseditor']")
    page.wait(f"!!{field}")
    time.sleep(1)  # the dialog moves into its place, and takes the focus
    page.evaluate(f"{field}.focus()")
    page.type("champion")
    page.wait(f"{field}.value === 'champion'")
    page.press("Enter")
    page.click("[data-component-id='mlflow.edit-aliases-modal.save-button']:not([disabled])")
    page.wait("!document.querySelector('[role=dialog]')")


@pytest.mark.slow
@needs("chromium", browser.program())
def test_a_promoter_in_the_browser(separation, workspace, tmp_path):
    for number, parts in ((1, 1.0), (2, 1.3), (3, 0.6)):
        judged(separation, number, parts)
    with make_server(workspace, tmp_path) as base, browser.page(tmp_path / "profile") as page:
        page.open(f"{base}/#/models/{NAME}{servers.OF_UI}")
        page.wait_for_text("To promote a version here")
        open_version(page, base, 2)
        shown = page.text()
        assert "Beside the champion and reference, version 1: better, AUROC +0.0" in shown
        assert "on 400 test images" in shown

        crown(page, base, 3)
        wait_for(lambda: kinds()[-1] == ("refused", 3), 180, "the alias to be put back")
        assert wait_for(lambda: aliases(connect())["champion"] == 1, 60, "the alias")
        open_version(page, base, 3)
        page.wait_for_text("it failed: AUROC 0.8")

        crown(page, base, 2)
        wait_for(lambda: kinds()[-1] == ("promoted", 2), 180, "the promotion to be entered")
        assert aliases(connect())["champion"] == 2
