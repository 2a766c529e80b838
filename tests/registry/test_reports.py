"""Report and model card with what the gate knows."""

from __future__ import annotations

from dataclasses import replace

from worlds.registry import NAME, new_model

from tasks.common import documents, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import ledger, live_runs, reports
from tasks.registry.gate import gate
from tasks.registry.store import connect

PAGE = (
    "<h1>R</h1><!-- place: verdict -->unfilled<!-- end: verdict --><p>figures</p>"
    "<!-- place: auroc -->0.123<!-- end: auroc --><!-- place: sensitivity -->0.123<!-- end: "
    "sensitivity --><!-- place: specificity -->0.123<!-- end: specificity -->"
    "<!-- place: scored -->0.123<!-- end: scored -->"
    "<!-- place: ids -->unfilled<!-- end: ids --><!-- place: run -->unfilled<!-- end: run -->"
)
CARD = "# R\n<!-- place: verdict -->unfilled<!-- end: verdict -->\nfigures\n"


def judged():
    """The gate on version 2, after a stage that has left places; the run of the version."""
    paths.REPORT.write_text(PAGE)
    paths.REPORT_IN_SHORT.write_text(CARD)
    documents.write_json(paths.StateEntry.SECONDS.path, {"train": 12.5})
    gate(load(Params))
    client = connect()
    return client, client.get_run(client.get_model_version(NAME, "2").run_id)


def test_the_gate_completes_page_and_card_and_logs_both(champion):
    client, run = judged()
    html, card = paths.VERDICT.read_text(), paths.MODEL_CARD.read_text()
    for text in (html, card):
        assert "unfilled" not in text
        assert "figures" in text
        assert "Version 2: not worse" in text
        assert "Beside the champion and reference, version 1: not worse, AUROC" in text
        assert run.info.run_id in text
        for tag in ("data.digest", "package.digest", "model.digest", live_runs.RESULT):
            assert run.data.tags[tag][:16] in text
    assert "12.5" in html
    assert "reaches the floor" in html
    assert html.index("Version 2") < html.index("figures") < html.index("Seconds per step")
    logged = [file.path for file in client.list_artifacts(run.info.run_id, "reports")]
    assert {str(paths.VERDICT), str(paths.MODEL_CARD)} <= set(logged)
    assert paths.REPORT.read_text() == PAGE


def test_the_first_figures_are_those_of_the_package_that_serves(champion):
    client, _ = judged()
    html, version = paths.VERDICT.read_text(), client.get_model_version(NAME, "2")
    found = ledger.verdict(ledger.read(), NAME, 2, version.tags["package.digest"]).facts
    assert "0.123" not in html
    for name in ("auroc", "sensitivity", "specificity"):
        figure = found["figures"][name]
        assert f"<b>{figure['value']:.3f}</b>\n({figure['low']:.3f} to" in html
    assert "with the package that serves" in html
    assert f"{found['figures']['images']} images; in brackets 95% intervals" in html


def test_a_test_too_small_leaves_the_figures_of_the_network(champion):
    client, _ = judged()
    version = client.get_model_version(NAME, "2")
    entry = ledger.verdict(ledger.read(), NAME, 2, version.tags["package.digest"])
    reports.write(client, version, replace(entry, facts=entry.facts | {"figures": {"images": 3}}))
    assert paths.VERDICT.read_text().count("0.123") == 4


def test_what_stopped_a_version_stands_on_the_first_page(champion):
    client, _ = judged()
    version = client.get_model_version(NAME, "2")
    entry = ledger.verdict(ledger.read(), NAME, 2, version.tags["package.digest"])
    assert "neither passed nor failed" not in paths.VERDICT.read_text()
    reports.write(client, version, replace(entry, kind="undecided"))
    assert "neither passed nor failed" in paths.VERDICT.read_text()
    facts = entry.facts | {"outcome": "failed", "missed": ["sensitivity misses <b>"]}
    reports.write(client, version, replace(entry, kind="failed", facts=facts))
    html = paths.VERDICT.read_text()
    assert html.index("Version 2: failed") < html.index("sensitivity misses &lt;b&gt;")
    assert html.index("sensitivity misses &lt;b&gt;") < html.index("figures")


def test_the_champion_itself_keeps_its_verdict_beside_a_new_report(champion):
    paths.REPORT.write_text(PAGE)
    paths.REPORT_IN_SHORT.write_text(CARD)
    new_model(1)
    assert gate(load(Params)) == "champion"
    assert "Version 1: first" in paths.VERDICT.read_text()
    assert "nothing to compare it with" in paths.MODEL_CARD.read_text()
