"""What a stage found, and the receipt, as artifacts beside the flow run in Prefect."""

from __future__ import annotations

from collections.abc import Mapping

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import receipt
from tasks.common import paths
from tasks.common.documents import read_json

VALIDATION_KEY, VERDICT_KEY, RECEIPT_KEY = "validation", "verdict", "receipt"
CARD_KEY = "model-card"
ORDER = ("critical", "warning", "info", "holds")


def publish_validation() -> None:
    """One row per expectation, with what is wrong where it does not hold: first what stopped the
    stage, then warnings. Nothing where the stage has left no result.
    """
    there = [path for path in (paths.VALIDATION, paths.FINDINGS) if path.exists()]
    if not there:
        return
    validation = read_json(there[0])
    warnings = {(warning["table"], warning["says"]): warning for warning in validation["warnings"]}
    rows = []
    for expectation in validation["expectations"]:
        warning = warnings.get((expectation["table"], expectation["says"]), {})
        rows.append(
            {
                "about": expectation["table"],
                "expectation": expectation["says"],
                "result": "holds" if expectation["held"] else expectation["severity"],
                "found": warning.get("found", ""),
                "what to do": warning.get("fix", ""),
            }
        )
    rows.sort(key=lambda row: ORDER.index(row["result"]))
    count = len(warnings)
    told = f"{count} of {len(rows)} expectations do not hold" if count else "All hold"
    stopped = "" if validation["passed"] else " Nothing trains on these data."
    create_table_artifact(key=VALIDATION_KEY, table=rows, description=f"{told}.{stopped}")


def publish_verdict() -> None:
    """What the gate said, with numbers and reasons. Nothing where there was nothing to judge."""
    if described := receipt.described():
        create_markdown_artifact(key=VERDICT_KEY, markdown=described)


def publish_card() -> None:
    """The report in short. Nothing where the gate has not completed it."""
    if paths.MODEL_CARD.exists():
        card = paths.MODEL_CARD.read_text(encoding="utf-8")
        create_markdown_artifact(key=CARD_KEY, markdown=card)


def publish_receipt(seconds: Mapping[str, float | None]) -> None:
    """The receipt, with links to what it names."""
    create_markdown_artifact(key=RECEIPT_KEY, markdown=receipt.markdown(seconds))
