from __future__ import annotations

from flows import artifacts
from tasks.common import documents, paths

EXPECTATIONS = [
    {"table": "images", "says": "Each is there", "severity": "critical", "held": True},
    {"table": "drift", "says": "No field drifts", "severity": "warning", "held": False},
]
WARNING = {"table": "drift", "says": "No field drifts", "found": "1 rows: site", "fix": "look"}


def test_validation_is_a_table_with_its_warnings_first(workspace, monkeypatch):
    made = {}
    monkeypatch.setattr("flows.artifacts.create_table_artifact", lambda **given: made.update(given))
    told = {"passed": True, "warnings": [WARNING], "expectations": EXPECTATIONS}
    documents.write_json(paths.VALIDATION, told)
    artifacts.publish_validation()
    assert made["key"] == "validation"
    assert made["description"] == "1 of 2 expectations do not hold."
    assert [row["result"] for row in made["table"]] == ["warning", "holds"]
    assert made["table"][0]["found"] == "1 rows: site"
    assert made["table"][0]["what to do"] == "look"


def test_what_stopped_the_stage_stands_first(workspace, monkeypatch):
    made = {}
    monkeypatch.setattr("flows.artifacts.create_table_artifact", lambda **given: made.update(given))
    failure = {"table": "images", "says": "Each is there", "found": "2 rows: a, b", "fix": "pull"}
    expectations = [EXPECTATIONS[1], EXPECTATIONS[0] | {"held": False}]
    told = {"passed": False, "warnings": [WARNING, failure], "expectations": expectations}
    documents.write_json(paths.FINDINGS, told)
    artifacts.publish_validation()
    assert made["description"].endswith("do not hold. Nothing trains on these data.")
    assert [row["result"] for row in made["table"]] == ["critical", "warning"]
    assert made["table"][0]["found"] == "2 rows: a, b"
    assert made["table"][0]["what to do"] == "pull"


def test_the_verdict_is_a_page_of_its_own(workspace, monkeypatch):
    made = {}
    monkeypatch.setattr(
        "flows.artifacts.create_markdown_artifact", lambda **given: made.update(given)
    )
    documents.write_json(paths.StateEntry.LAST_RUN.path, {"verdict": "champion"})
    artifacts.publish_verdict()
    assert made == {}
    told = {"verdict": "better", "description": "**Version 3: better** [Its run](#/r)"}
    documents.write_json(paths.StateEntry.LAST_RUN.path, told)
    artifacts.publish_verdict()
    link = "[Its run](http://127.0.0.1:5000/#/r)"
    assert made == {"key": "verdict", "markdown": f"**Version 3: better** {link}"}


def test_the_model_card_is_a_page_of_its_own(workspace, monkeypatch):
    made = {}
    monkeypatch.setattr(
        "flows.artifacts.create_markdown_artifact", lambda **given: made.update(given)
    )
    artifacts.publish_card()
    assert made == {}
    documents.write_text(paths.MODEL_CARD, "# Card")
    artifacts.publish_card()
    assert made == {"key": "model-card", "markdown": "# Card"}


def test_without_a_result_there_is_no_artifact(workspace, monkeypatch):
    def refuse(**given):
        raise AssertionError("there is nothing to tell")

    monkeypatch.setattr("flows.artifacts.create_table_artifact", refuse)
    artifacts.publish_validation()
