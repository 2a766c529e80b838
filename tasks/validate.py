"""Stage: hold manifest and pixels to the expectation suite before anything trains on them."""

from __future__ import annotations

from collections.abc import Sequence

from tasks import digests, documents, manifest, params, paths
from tasks.data_docs import Finding, examine
from tasks.errors import ValidationError, command
from tasks.expectations import suites, tables

NAMED = 10  # rows that a message names


def check(findings: Sequence[Finding]) -> None:
    """Stop where an expectation does not hold.

    Raises:
        ValidationError: it names every such expectation, its rows and what to do.
    """
    failed = [finding for finding in findings if not finding.passed]
    if failed:
        told = "\n".join(_tell(finding) for finding in failed)
        raise ValidationError(
            f"{len(failed)} of {len(findings)} expectations do not hold, so nothing trains on "
            f"these data:\n{told}\nSee {paths.DATA_DOCS / 'index.html'}"
        )


def _tell(finding: Finding) -> str:
    rows = [row[:12] if len(row) >= 64 else row for row in finding.rows[:NAMED]]
    more = len(finding.rows) - len(rows)
    listed = ", ".join(rows) + (f" and {more} more" if more else "")
    found = f"{len(finding.rows)} rows: {listed}" if rows else f"received: {finding.observed}"
    return f"  {finding.table}: {finding.says}\n    {found}\n    What to do: {finding.mend}"


@command
def main() -> None:
    """Write Data Docs, and the verdict where every expectation holds."""
    settings = params.load()
    table = manifest.read(paths.MANIFEST, manifest.MANIFEST)
    pack = documents.read_json(paths.PACK)
    findings = examine(
        tables(table, pack, settings.task),
        suites(settings.validate_, settings.preprocess, settings.split.on_leak),
        documents.fresh_folder(paths.DATA_DOCS),
    )
    check(findings)
    verdict = {
        "passed": True,
        "expectations": [f"{finding.table}: {finding.says}" for finding in findings],
        "manifest": digests.of_file(paths.MANIFEST),
        "pixels": pack["digest"],
    }
    documents.write_json(paths.VALIDATION, verdict)
    print(
        f"All {len(findings)} expectations hold; see {paths.DATA_DOCS / 'index.html'}", flush=True
    )


if __name__ == "__main__":
    main()
