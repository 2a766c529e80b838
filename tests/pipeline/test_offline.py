"""No page that a run makes needs the network, or asks for it: looked at in a browser."""

from __future__ import annotations

import socketserver
import sys
import threading

import pytest
from worlds import browser
from worlds.programs import needs
from worlds.project import run

from tasks.common import paths

BROWSER = browser.program()
ALONE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
    *("--disable-default-apps", "--virtual-time-budget=8000", "--dump-dom"),
)
OWN = (".google.com", ".googleapis.com", ".gvt1.com")  # whom a browser asks for itself
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    needs("chromium", BROWSER),
]


class Proxy(socketserver.ThreadingTCPServer):
    """Notes the first line of what pages ask of it, and answers nothing."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode()
        if not any(host in line for host in OWN):
            self.server.asked.append(line)


def looked_at(page, folder):
    """What the browser makes of a page, and what it asked the network for."""
    with Proxy() as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        done = run(
            BROWSER,
            *ALONE,
            f"--proxy-server=http://127.0.0.1:{proxy.server_address[1]}",
            f"--user-data-dir={folder}",
            page.resolve().as_uri(),
            cwd=folder,
        )
        proxy.shutdown()
    return done.stdout, proxy.asked


def test_a_page_that_asks_is_noticed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<script src="http://vega.example/vega.js"></script><p>here</p>')
    shown, asked = looked_at(page, tmp_path)
    assert "here" in shown
    assert any("vega.example" in line for line in asked)


@pytest.mark.parametrize(
    ("page", "shows"),
    [
        (paths.REPORT, "Where the network looked"),
        (paths.VERDICT, "Which one this is"),
        (paths.FINDINGS_PAGE, "What the data are held to"),
        ("dvc_plots/index.html", 'class="marks"'),
    ],
)
def test_pages_show_all_and_ask_for_nothing(project, tmp_path, page, shows):
    if "plots" in str(page):
        run(sys.executable, "-m", "tasks.plots", cwd=project)
        run(sys.executable, "-m", "dvc", "plots", "show", cwd=project)
    shown, asked = looked_at(project / page, tmp_path)
    assert shows in shown
    assert asked == []
