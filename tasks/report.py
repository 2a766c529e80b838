"""Stage report: one self-contained page of everything that the stages before it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from tasks.common import paths
from tasks.common.documents import read_json
from tasks.common.errors import command
from tasks.common.params.augment import Augment
from tasks.common.params.evaluate import Evaluate
from tasks.common.params.fine_tune import FineTune
from tasks.common.params.gate import Gate
from tasks.common.params.loading import load
from tasks.common.params.model import Model
from tasks.common.params.preprocess import Preprocess
from tasks.common.params.report import Report
from tasks.common.params.section import Part
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.evidence import change_protocol, owner
from tasks.evidence.checklist import fill
from tasks.evidence.claim import CLAIM
from tasks.evidence.stard_ai import STARD_AI
from tasks.pictures import charts
from tasks.pictures.page import data_uri, render

HEADLINE = ("auroc", "sensitivity", "specificity", "accuracy")
FIGURES = ("roc", "confusion", "score_histogram", "calibration", "net_benefit")


class Source(Part):
    """Which source the images come from; where it lies is nobody's business."""

    source: str


class Settings(Part):
    """What the stage reads of `params.yaml`."""

    task: Task
    model: Model
    pull: Source
    preprocess: Preprocess
    split: Split
    augment: Augment
    train: Train
    fine_tune: FineTune
    evaluate: Evaluate
    report: Report
    gate: Gate


def with_pictures(entries: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Index entries with their file as `picture`."""
    return [
        entry | {"picture": data_uri((folder / entry["file"]).read_bytes())} for entry in entries
    ]


def read_histories(kept: str, best_epoch: int) -> dict[str, str]:
    """Phase -> chart of its loss and AUROC, with the kept epoch marked in the kept phase."""
    drawn = {}
    for phase, path in (("head", paths.HEAD_HISTORY), ("fine_tune", paths.HISTORY)):
        table = pd.read_csv(path)
        if len(table):
            values = {str(name): table[name].to_numpy(float) for name in table}
            mark = best_epoch if phase == kept else None
            drawn[phase] = data_uri(charts.history(values, mark))
    return drawn


def read_content() -> dict[str, Any]:
    """What the stages before this one wrote."""
    training = read_json(paths.TRAINING)
    gallery = read_json(paths.EXPLAIN / "index.json")
    suspects = paths.AUDIT / "gallery.png"
    return {
        "receipt": read_json(paths.SPLIT_RECEIPT),
        "validation": read_json(paths.VALIDATION),
        "drift": read_json(paths.DRIFT),
        "shortcuts": read_json(paths.SHORTCUTS),
        "contact_sheet": data_uri(paths.CONTACT_SHEET.read_bytes()),
        "training": training,
        "histories": read_histories(training["kept"], training["best_epoch"]),
        "headline": HEADLINE,
        "metrics": read_json(paths.METRICS),
        "point": read_json(paths.OPERATING_POINT),
        "figures": {
            name: data_uri((paths.FIGURES / f"{name}.png").read_bytes()) for name in FIGURES
        },
        "robustness": data_uri((paths.FIGURES / "robustness.png").read_bytes()),
        "gallery": {
            part: with_pictures(examples, paths.EXPLAIN) for part, examples in gallery.items()
        },
        "explanations": read_json(paths.EXPLANATIONS),
        "audit": read_json(paths.AUDIT / "summary.json"),
        "audit_gallery": data_uri(suspects.read_bytes()) if suspects.exists() else None,
        "compression": read_json(paths.COMPRESSION),
    }


def settings_content(settings: Settings) -> dict[str, Any]:
    """What the page says about the parameters. The path of the source stays out."""
    shown = {
        "task": settings.task,
        "model": settings.model,
        "preprocess": settings.preprocess,
        "split": settings.split,
        "augment": settings.augment,
        "train": settings.train,
        "fine_tune": settings.fine_tune,
        "evaluate": settings.evaluate,
    }
    return {
        "title": settings.report.title,
        "confidence": settings.evaluate.confidence,
        "gate": settings.gate.model_dump(),
        "about": {
            "kind": settings.task.kind,
            "classes": settings.task.names,
            "backbone": settings.model.backbone,
            "source": settings.pull.source,
            "synthetic": settings.pull.source == "phantom",
        },
        "parameters": {name: _without_folders(section) for name, section in shown.items()},
    }


def evidence_content(facts: dict[str, Any]) -> dict[str, Any]:
    """What reporting guidelines ask for, from all other content and the owner's text."""
    answers = owner.read(paths.OWNER)
    return {
        "owner": answers,
        "checklists": [fill(checklist, facts, answers) for checklist in (CLAIM, STARD_AI)],
        "change_protocol": change_protocol.protocol(facts, answers),
    }


def _without_folders(section: BaseModel) -> dict[str, Any]:
    """The values of a section; of a path only the file's name, folders can name people, and not
    where the work was done or where external images lie.
    """
    values = section.model_dump(exclude={"cluster", "external"})
    return {
        key: Path(value).name if isinstance(value, str) else value for key, value in values.items()
    }


@command
def main() -> None:
    """Read what the stages wrote; write the page."""
    settings = load(Settings)
    content = settings_content(settings) | read_content()
    page = render("report.html.j2", content | evidence_content(content))
    paths.REPORT.parent.mkdir(parents=True, exist_ok=True)
    paths.REPORT.write_text(page, encoding="utf-8")
    print(f"{paths.REPORT}: {len(page) / 1e6:.1f} MB, self-contained")


if __name__ == "__main__":
    main()
