"""The section `pull`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tasks.common.params.section import Section, Seed

TAKE = r"^(all|middle|every [1-9]\d{0,3})$"
Name = Annotated[str, Field(min_length=1)]


def _compares(pattern: str) -> str:
    """A pattern that can match a path below `pull.path`."""
    if PurePosixPath(pattern).is_absolute() or not PurePosixPath(pattern.strip("*/")).parts:
        raise ValueError("a pattern of names below pull.path, such as masks or *_mask.png")
    return pattern


class PhantomSource(Section):
    """The synthetic default source."""

    patients: Annotated[int, Field(ge=10, le=100_000)]
    seed: Seed


class Columns(Section):
    """What the CSV, of `path` or of `labels.table`, calls its columns; null: by their own names.

    `file` is the column that says which images a row is for. `mask` is one with the file of a mask,
    relative to the CSV of `path`, `box` one with boxes around findings; null: there is none.
    """

    file: Name | None = None
    label: Name | None = None
    patient_id: Name | None = None
    split: Name | None = None
    mask: Name | None = None
    box: Name | None = None

    @model_validator(mode="after")
    def _each_is_another(self) -> Columns:
        given = [name for name in self.named.values() if name]
        if len(set(given)) < len(given):
            raise ValueError("each must name another column")
        return self

    @property
    def named(self) -> dict[str, str]:
        """The columns that the CSV calls otherwise, by their own names."""
        return {own: name for own, name in self.model_dump().items() if name is not None}


class Labels(Section):
    """Where the label of a DICOM file comes from: a CSV whose column `key` holds what `key` names,
    or a header field.
    """

    table: str | None = None
    key: Literal["file", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID"] = (
        "file"
    )
    field: str | None = None  # keyword of the standard, such as BodyPartExamined


class Collection(Section):
    """A public collection, and which of its series; null takes all."""

    name: str | None = None
    modality: str | None = None
    body_part: str | None = None


class MedMnist(Section):
    """A set of MedMNIST by its name and the side of its images in pixels."""

    name: str
    size: Literal[28, 64, 128, 224]


class Pull(Section):
    """Where images come from."""

    source: Literal["phantom", "folder", "dicom", "medmnist", "tcia", "idc"]
    path: str | None
    slices: list[str]
    columns: Columns = Columns()  # earlier files have none
    exclude: list[Annotated[str, AfterValidator(_compares)]] = Field(default_factory=list)
    labels: Labels
    take: Annotated[str, Field(pattern=TAKE)]
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
        if self.exclude and self.source in ("phantom", "medmnist"):
            raise ValueError(f"source {self.source!r} has no files to exclude: empty exclude")
        given = [name for name in (self.labels.table, self.labels.field) if name]
        if self.source in ("dicom", "tcia", "idc") and len(given) != 1:
            raise ValueError(
                f"source {self.source!r} needs one of labels.table (a CSV) and labels.field (a "
                f"header field), received {len(given)} of them"
            )
        return self


class External(Pull):
    """Where images come from that a model is measured on besides its own: as `pull`, of which only
    those keys need be given that say so.
    """

    path: str | None = None
    slices: list[str] = Field(default_factory=list)
    labels: Labels = Labels()
    take: Annotated[str, Field(pattern=TAKE)] = "all"
    collection: Collection = Collection()
    medmnist: MedMnist = MedMnist(name="pneumoniamnist", size=28)
    phantom: PhantomSource = PhantomSource(patients=60, seed=8)
