from __future__ import annotations

from flows import artifacts
from tasks import documents, paths

EXPECTATIONS = [
    {"table": "images", "says": "Each is there", "severity": "critical", "held": True},
    {"table": "drift", "says": "No field drifts", "severity": "warning", "held": False},
]
WARNING = {"table": "drift", "says": "No field drifts", "found": "1 rows: site", "mend": "look"}


def test_validation_is_a_table_with_its_warnings_first(workspace, monkeypatch):
    made = {}
    monkeypatch.setattr("flows.artifacts.create_table_artifact", lambda **given: made.update(given))
    documents.write_json(paths.VALIDATION, {"warnings": [WARNING], "expectations": EXPECTATIONS})
    artifacts.publish_validation()
    assert made["key"] == "validation"
    assert made["description"] == "1 of 2 expectations do not hold."
    assert [row["result"] for row in made["table"]] == ["warning", "holds"]
    assert made["table"][0]["found"] == "1 rows: site"
    assert made["table"][0]["what to do"] == "look"


def test_without_a_result_there_is_no_artifact(workspace, monkeypatch):
    def refuse(**given):
        raise AssertionError("there is nothing to tell")

    monkeypatch.setattr("flows.artifacts.create_table_artifact", refuse)
    artifacts.publish_validation()
