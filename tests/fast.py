"""The fast set: the tests that need no TensorFlow, held by refusing to import it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# What builds, packages or runs networks, and what takes long all the same: the fuzz harness, which
# waits for what hangs, and what starts a cluster or versions data with DVC. Neither collected nor
# imported in the fast set.
LEFT_OUT = (
    "benchmarks",
    "compression",
    "fuzz",
    "imaging/test_cluster.py",
    "intake/test_data_versions.py",
    "model",
    "networks",
    "pipeline",
    "registry",
    *(f"stages/test_{name}.py" for name in ("audit", "augment", "compress", "evaluate")),
    *(f"stages/test_{name}.py" for name in ("explain", "fine_tune", "start", "train")),
    *(f"stages/test_{name}.py" for name in ("report", "report_first_page", "report_sections")),
    "stages/test_tune.py",
    *(f"stages/test_{name}.py" for name in ("pull_with_dvc", "withdraw")),
)
REFUSED = {"tensorflow", "keras"}


def leaves_out(path: Path) -> bool:
    """Whether the fast set does without this folder or file."""
    return path in {TESTS / name for name in LEFT_OUT}


def begin() -> None:
    """Refuse TensorFlow from here on.

    Raises:
        UsageError: it has been imported already.
    """
    if REFUSED & set(sys.modules):
        raise pytest.UsageError(
            "required: no TensorFlow with --fast; received: a conftest.py that has imported it. "
            f"Name no folder of these: {', '.join(LEFT_OUT)}"
        )
    sys.meta_path.insert(0, NoTensorFlow())


class NoTensorFlow:
    """An import hook that refuses TensorFlow and Keras: the traceback names who asks for them."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Find nothing, so that the next hook is asked.

        Raises:
            ImportError: TensorFlow or Keras is asked for.
        """
        if name in REFUSED:
            raise ImportError(
                f"required: a test that needs no TensorFlow, in the fast set; received: an import "
                f"of {name}. Import it where it is needed, or name the test's folder in "
                "LEFT_OUT of tests/fast.py"
            )
