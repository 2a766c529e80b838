"""Stage code: write down which code each stage runs.

Every other stage depends on its own of these files, so an edited helper makes those stages run
again that it concerns, and a diff of the file names the module.
"""

from __future__ import annotations

from tasks.common import closure, documents, pipeline
from tasks.common.errors import command


@command
def main() -> None:
    """Write what `dvc.yaml` names as the outs of this stage."""
    for out in pipeline.outs("code"):
        documents.write_json(out, closure.digests_behind(f"tasks.{out.stem}"))


if __name__ == "__main__":
    main()
