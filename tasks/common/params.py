"""`params.yaml`, loaded once into frozen types that refuse unknown keys and values out of range."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.common import paths
from tasks.common.errors import ParameterError

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]


class Section(BaseModel):
    """One section of `params.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Task(Section):
    """What is predicted. The order of `classes` is the order of every score; in a binary task the
    second class is the positive one. `auto`: the next pull writes the classes it finds.
    """

    kind: Literal["binary", "multiclass", "multilabel"]
    classes: Literal["auto"] | Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _classes_fit_kind(self) -> Task:
        if self.classes == "auto":
            return self
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes must differ from one another")
        if self.kind == "binary" and len(self.classes) != 2:
            raise ValueError(
                f"a binary task has 2 classes, received {len(self.classes)}; "
                "with more set task.kind to multiclass or multilabel"
            )
        if self.kind == "multiclass" and len(self.classes) < 3:
            raise ValueError(
                f"a multiclass task has 3 classes or more, received {len(self.classes)}"
            )
        if self.kind == "multilabel" and any("|" in name for name in self.classes):
            raise ValueError("a class name must not contain '|', which joins labels")
        return self

    @property
    def names(self) -> list[str]:
        """The classes in their fixed order.

        Raises:
            ParameterError: they are still `auto`.
        """
        if self.classes == "auto":
            raise ParameterError(
                "task.classes is still 'auto': run `python -m tasks.pull`, which writes the "
                "classes it finds, or list them in params.yaml"
            )
        return list(self.classes)


class Model(Section):
    """The network."""

    backbone: Literal[
        "EfficientNetLite0", "ResNet50", "VGG16", "DenseNet121", "MobileNetV2", "EfficientNetV2B0"
    ]
    weights: str  # imagenet | none | path of a weights file
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]


class Deid(Section):
    """De-identification: the fingerprint of the key in use, and what becomes of kinds of images
    that often carry burned-in text (ultrasound, secondary capture, screenshots).
    """

    key_id: Annotated[str, Field(min_length=8)]
    burned_in: Literal["detect", "quarantine", "keep"]


class PhantomSource(Section):
    """The synthetic default source."""

    patients: Annotated[int, Field(ge=10, le=100_000)]
    seed: Seed


class Labels(Section):
    """Where the label of a DICOM file comes from: a CSV whose column `key` holds what `key` names,
    or a header field.
    """

    table: str | None
    key: Literal["file", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID"]
    field: str | None  # keyword of the standard, such as BodyPartExamined


class Collection(Section):
    """A public collection, and which of its series; null takes all."""

    name: str | None
    modality: str | None
    body_part: str | None


class MedMnist(Section):
    """A set of MedMNIST by its name and the side of its images in pixels."""

    name: str
    size: Literal[28, 64, 128, 224]


class Pull(Section):
    """Where images come from."""

    source: Literal["phantom", "folder", "dicom", "medmnist", "tcia", "idc"]
    path: str | None
    slices: list[str]
    labels: Labels
    take: Annotated[str, Field(pattern=r"^(all|middle|every [1-9]\d{0,3})$")]
    collection: Collection
    medmnist: MedMnist
    phantom: PhantomSource

    @model_validator(mode="after")
    def _source_is_described(self) -> Pull:
        needs = {
            "folder": (self.path, "path: a folder of class folders, a CSV, a .zip or a .tar.gz"),
            "dicom": (self.path, "path: a folder of DICOM files"),
            "tcia": (self.collection.name, "collection.name, such as TCGA-LUAD"),
            "idc": (self.collection.name, "collection.name, such as tcga_luad"),
        }
        value, what = needs.get(self.source, ("", ""))
        if what and not value:
            raise ValueError(f"source {self.source!r} needs {what}")
        given = [name for name in (self.labels.table, self.labels.field) if name]
        if self.source in ("dicom", "tcia", "idc") and len(given) != 1:
            raise ValueError(
                f"source {self.source!r} needs one of labels.table (a CSV) and labels.field (a "
                f"header field), received {len(given)} of them"
            )
        return self


WINDOWS = (
    *("abdomen", "bone", "brain", "liver", "lung", "mammography", "mediastinum", "soft_tissue"),
    *("spine", "stroke", "subdural", "temporal_bone"),
)
Intensities = Annotated[
    list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=2, max_length=2)
]


class Preprocess(Section):
    """Files to pixels. `size` is height and width in pixels; `window` is centre and width in
    stored units after rescale (Hounsfield units in CT), a preset of `WINDOWS` (all for CT but
    `mammography`), or null for the window of the header. Only DICOM has one.
    """

    size: Annotated[list[Annotated[int, Field(ge=16, le=2048)]], Field(min_length=2, max_length=2)]
    color: Literal["grey", "rgb"]
    window: list[Annotated[float, Field(allow_inf_nan=False)]] | str | None
    max_quarantined: Share
    cluster: Annotated[str, Field(pattern=r"^\w+://\S+$")] | None = None  # where, never what

    @model_validator(mode="after")
    def _window_is_known(self) -> Preprocess:
        if isinstance(self.window, str) and self.window not in WINDOWS:
            raise ValueError(f"window is one of {', '.join(WINDOWS)}; received {self.window!r}")
        if isinstance(self.window, list) and (len(self.window) != 2 or self.window[1] < 1):
            raise ValueError(f"window is [centre, width] with width >= 1, received {self.window}")
        return self


class Split(Section):
    """Who is trained on and who is tested on. `val` and `test` are shares of the patients. With
    `folds` train and val are cut into as many parts instead, of which number `fold` is val.
    """

    val: Annotated[float, Field(gt=0.0, lt=0.5)]
    test: Annotated[float, Field(gt=0.0, lt=0.5)]
    folds: Annotated[int, Field(ge=2, le=20)] | None
    fold: Annotated[int, Field(ge=0)]
    on_leak: Literal["fail", "move", "report"]
    seed: Seed

    @model_validator(mode="after")
    def _fold_is_one_of_them(self) -> Split:
        if self.fold >= (self.folds or 1):
            raise ValueError(
                f"fold counts from 0 and is below folds, received fold {self.fold} of folds "
                f"{'null' if self.folds is None else self.folds}"
            )
        return self


class Validate(Section):
    """Limits that the expectation suites in `gx/expectations` name."""

    min_images_per_class: Positive
    intensity_mean: Intensities
    min_contrast: Annotated[float, Field(ge=0, le=127)]
    drift: Annotated[float, Field(gt=0, le=3.2)]
    shortcut_auroc: Annotated[float, Field(ge=0.5, le=1.0)]


class Augment(Section):
    """Random views of the training images. `views: 0` draws one anew every epoch and stores none of
    its activations; `refresh` is the number of epochs after which views are drawn anew.
    """

    preset: Literal["none", "radiograph", "tutorial"]
    views: Annotated[int, Field(ge=0, le=64)]
    refresh: Positive | None
    seed: Seed


class Train(Section):
    """The head phase: the backbone is frozen. Threads, devices, precision and seed hold for the
    fine-tune phase too.
    """

    epochs: Positive
    batch_size: Positive
    learning_rate: Rate
    patience: Positive
    class_weights: bool
    threads: Annotated[int, Field(ge=1, le=256)]
    devices: Annotated[int, Field(ge=1, le=64)]
    precision: Literal["auto", "float32", "mixed_bfloat16"]
    seed: Seed


class FineTune(Section):
    """The fine-tune phase: everything from `cut_layer` on is trained."""

    cut_layer: str  # a layer's name, or auto: the backbone's own default
    epochs: Annotated[int, Field(ge=0)]
    batch_size: Positive
    learning_rate: Rate
    patience: Positive


class OperatingPoint(Section):
    """How the threshold is chosen on val: `youden`, or the highest threshold that still reaches
    `target` sensitivity or the lowest that reaches `target` specificity.
    """

    rule: Literal["youden", "sensitivity", "specificity"]
    target: Share


class Evaluate(Section):
    """Metrics and their intervals (patient-clustered bootstrap)."""

    operating_point: OperatingPoint
    confidence: Annotated[float, Field(ge=0.5, lt=1.0)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed


class Explain(Section):
    """Grad-CAM overlays: images shown per class, for right and for wrong predictions."""

    examples: Annotated[int, Field(ge=1, le=16)]


class Audit(Section):
    """Likely label errors: how many of the likeliest are shown."""

    examples: Annotated[int, Field(ge=1, le=64)]


class Compress(Section):
    """int8 ONNX export."""

    calibration_images: Annotated[int, Field(ge=8, le=10_000)]


class Report(Section):
    """The self-contained page."""

    title: str


class Publish(Section):
    """Names in MLflow."""

    experiment: Annotated[str, Field(min_length=1)]
    model_name: Annotated[str, Field(min_length=1)]


class Floors(Section):
    """What every version must reach on the test set: the AUROC itself, and the AUROC of every
    slice with at least `min_images` images of which both outcomes are present.
    """

    auroc: Share
    slice_auroc: Share
    min_images: Positive


class Gate(Section):
    """When a challenger passes: floors hold, and the lower end of the paired interval of its
    AUROC minus the champion's is above `-margin`.
    """

    floors: Floors
    margin: Share
    confidence: Annotated[float, Field(ge=0.5, lt=1.0)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed


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
    evaluate: Evaluate
    explain: Explain
    audit: Audit
    compress: Compress
    report: Report
    publish: Publish
    gate: Gate


def load(path: Path = paths.PARAMS) -> Params:
    """Read and check the parameters.

    Raises:
        ParameterError: the file is missing or not YAML, or any key is unknown, missing or out of
            range; the message lists every such key with the value received and what is allowed.
    """
    try:
        values = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise ParameterError(f"{path} not found: run from the project's root") from None
    except YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}") from None
    return parse(values, path)


def parse(values: Any, path: Path = paths.PARAMS) -> Params:
    """Check `values`, the content of a parameter file; errors as in `load`."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors())
        raise ParameterError(f"{path} has values that are not allowed:\n{problems}") from None


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"] if part != "auto") or "(file)"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or mend its spelling"
    if problem["type"] == "missing":
        return f"{key}: required, but missing"
    return f"{key}: {problem['msg']}; received {problem['input']!r}"
