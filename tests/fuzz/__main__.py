"""`python -m tests.fuzz [INPUTS [FIRST]]`: print the findings; exit 1 where there are any.

`python -m tests.fuzz 1 4711` repeats the input 4711.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time


def main() -> None:
    """Run and print."""
    from tests.fuzz.harness import run

    inputs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    start = time.monotonic()
    outcome = run(inputs, first=first)
    for finding in outcome.findings:
        print(f"input {finding.number}: {finding.problem.strip()}\n")
    print(
        f"{inputs} inputs in {time.monotonic() - start:.0f} s: {outcome.decoded} decoded, "
        f"{outcome.refused} refused, {len(outcome.findings)} findings"
    )
    sys.exit(bool(outcome.findings))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as state:
        os.environ["MEDLOOP_STATE"] = state  # archives are unpacked there
        main()
