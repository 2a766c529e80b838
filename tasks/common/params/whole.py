"""The whole of `params.yaml`: for who edits, records or judges by it. No stage but publish."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tasks.common.params.audit import Audit
from tasks.common.params.augment import Augment
from tasks.common.params.compress import Compress
from tasks.common.params.deid import Deid
from tasks.common.params.evaluate import Evaluate
from tasks.common.params.explain import Explain
from tasks.common.params.fine_tune import FineTune
from tasks.common.params.gate import Gate
from tasks.common.params.model import Model, require_frozen
from tasks.common.params.preprocess import Preprocess
from tasks.common.params.publish import Publish
from tasks.common.params.pull import External, Pull
from tasks.common.params.report import Report
from tasks.common.params.section import Section
from tasks.common.params.split import Split
from tasks.common.params.task import Task
from tasks.common.params.train import Train
from tasks.common.params.tune import Tune
from tasks.common.params.validate import Validate


class EvaluateWhole(Evaluate):
    """The section `evaluate` with what pull reads of it."""

    external: External | None = None


class Params(Section):
    """The whole of `params.yaml`."""

    task: Task
    model: Model
    deid: Deid
    pull: Pull
    preprocess: Preprocess
    split: Split
    validate_: Validate = Field(alias="validate")
    augment: Augment
    train: Train
    fine_tune: FineTune
    evaluate: EvaluateWhole
    explain: Explain
    audit: Audit
    compress: Compress
    report: Report
    publish: Publish
    gate: Gate
    tune: Tune = Tune()

    @model_validator(mode="after")
    def _onnx_is_not_fine_tuned(self) -> Self:
        require_frozen(self.model, self.fine_tune.epochs)
        return self
