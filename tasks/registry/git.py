"""Which code made a result."""

from __future__ import annotations

import subprocess

# They belong to the project that owns the data and change with every run, so they don't count.
OURS = (":(exclude)dvc.lock", ":(exclude)data/raw.dvc")
# MLflow's page of a run shows no commit where it has no name to put it beside.
SOURCE = "dvc.yaml"


def tags() -> dict[str, str]:
    """Tags `git.commit` and `git.dirty`, and what MLflow shows as source; empty outside a
    repository or before its first commit.
    """
    commit = _git("rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return {}
    changed = _git("--no-optional-locks", "status", "--porcelain", "--", ".", *OURS)
    dirty = "true" if changed else "false"
    shown = {"mlflow.source.name": SOURCE, "mlflow.source.git.commit": commit}
    return {"git.commit": commit, "git.dirty": dirty} | shown


def _git(*arguments: str) -> str:
    """What git prints; empty where it fails or is not installed."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
