"""Stage report: one self-contained page of everything that the stages before it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tasks.common import paths
from tasks.common.documents import write_text
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
from tasks.pictures import fonts
from tasks.pictures.page import render
from tasks.reporting import content


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
            "spelled": fonts.spelled(settings.task.names),
            "backbone": settings.model.backbone,
            "source": settings.pull.source,
            "synthetic": settings.pull.source == "phantom",
        },
        "parameters": {name: _without_folders(section) for name, section in shown.items()},
    }


def evidence(facts: dict[str, Any]) -> dict[str, Any]:
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
    """Read what the stages wrote; write the page, and the same in short as Markdown."""
    settings = load(Settings)
    facts = settings_content(settings) | content.read(
        settings.gate.floors, settings.evaluate.coverage
    )
    told = facts | evidence(facts)
    page = render("report.html.j2", told)
    write_text(paths.REPORT, page)
    write_text(paths.REPORT_IN_SHORT, render("report.md.j2", told))
    print(f"{paths.REPORT}: {len(page) / 1e6:.1f} MB, self-contained")


if __name__ == "__main__":
    main()
