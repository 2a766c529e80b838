"""Stage: hold manifest and pixels to the expectation suites before anything trains on them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from tasks.checks import comparisons, fields, page
from tasks.checks.expectations import limits, tables
from tasks.checks.suites import Finding, examine
from tasks.common import digests, documents, labels, manifest, paths, wording
from tasks.common.errors import ValidationError, command
from tasks.common.params.loading import load
from tasks.common.params.preprocess import Preprocess
from tasks.common.params.section import Part
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.common.params.validate import Validate
from tasks.statistics import shortcuts

NAMED = 10  # rows that a message names


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    preprocess: Preprocess
    split: Split
    validate_: Validate = Field(alias="validate")


def check(findings: Sequence[Finding]) -> None:
    """Stop where a critical expectation does not hold.

    Raises:
        ValidationError: it names every such expectation, its rows and what to do.
    """
    critical = [finding for finding in findings if finding.severity == "critical"]
    failed = [finding for finding in critical if not finding.passed]
    if failed:
        told = "\n".join(_tell(finding) for finding in failed)
        raise ValidationError(
            f"{len(failed)} of {len(critical)} critical expectations do not hold, so nothing "
            f"trains on these data:\n{told}\nSee {paths.FINDINGS_PAGE}; "
            "`python -m tasks.pull --where` and an image_id says which file it is"
        )


def _tell(finding: Finding) -> str:
    allowed = wording.allowed(finding.limits)
    required = f"required: {allowed}; " if allowed else ""
    return (
        f"  {finding.table}: {finding.says}\n    {required}received: {_found(finding)}\n"
        f"    What to do: {finding.fix}"
    )


def _found(finding: Finding) -> str:
    if not finding.rows:
        return "nothing" if finding.observed is None else f"{finding.observed:.4g}"
    rows = [row[:12] if len(row) >= 64 else row for row in finding.rows[:NAMED]]
    more = len(finding.rows) - len(rows)
    listed = ", ".join(rows) + (f" and {more} others" if more else "")
    return f"{len(finding.rows)} rows: {listed}"


def verdict(findings: Sequence[Finding]) -> dict[str, Any]:
    """What `reports/validation.json` says of findings; of those that `check` does not let pass, the
    page of findings only.
    """
    return {
        "passed": all(finding.passed or finding.severity != "critical" for finding in findings),
        "warnings": [
            {
                "table": finding.table,
                "says": finding.says,
                "found": _found(finding),
                "fix": finding.fix,
                "report": finding.report,
            }
            for finding in findings
            if not finding.passed
        ],
        "expectations": [
            {
                "table": finding.table,
                "says": finding.says,
                "severity": finding.severity,
                "limits": finding.limits,
            }
            | {"held": finding.passed}
            for finding in findings
        ],
    }


def report(findings: Sequence[Finding]) -> str:
    """What the log says."""
    warnings = [finding for finding in findings if not finding.passed]
    lines = [
        f"Warning, this does not hold (it stops nothing):\n{_tell(finding)}" for finding in warnings
    ]
    held = f"{len(findings) - len(warnings)} of {len(findings)}" if warnings else len(findings)
    which = "" if warnings else "All "
    docs = f"{which}{held} expectations hold; see {paths.FINDINGS_PAGE}"
    return "\n".join([*lines, docs])


@command
def main() -> None:
    """Write the audits and findings, and the verdict where every critical expectation holds."""
    shutil.rmtree(paths.DATA_DOCS, ignore_errors=True)
    settings = load(Settings)
    task, allowed = settings.task, settings.validate_
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    pack = documents.read_json(paths.PACK)
    known = fields.known(table, task)
    compared, drifts = comparisons.batches(known, task)
    sides, side_drifts = comparisons.sides(known, task)
    targets = labels.encode(known["label"], task.kind, task.names)
    told = shortcuts.measure(fields.beside_pixels(known), targets, known["group"])
    drifted = {"compared": compared, "by_field": comparisons.by_field(drifts), "sides": sides}
    documents.write_json(paths.DRIFT, drifted | {"limit": allowed.drift})
    documents.write_json(
        paths.SHORTCUTS, {"limit": allowed.shortcut_auroc, "by_field": comparisons.by_field(told)}
    )
    findings = examine(
        tables(table, pack, task, drifts, side_drifts, told),
        limits(task, settings.preprocess, settings.split, allowed),
        paths.EXPECTATIONS,
    )
    documents.write_json(paths.FINDINGS, verdict(findings))
    documents.write_text(paths.FINDINGS_PAGE, page.render(findings))
    check(findings)
    digest = {"manifest": digests.of_file(paths.MANIFEST), "pixels": pack["digest"]}
    documents.write_json(paths.VALIDATION, verdict(findings) | digest)
    print(report(findings), flush=True)


if __name__ == "__main__":
    main()
