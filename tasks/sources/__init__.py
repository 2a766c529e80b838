"""Where images come from.

A source is one module of this package, named in `pull.source`, with

    def listing(pull: Pull, kind: str) -> Listing

that lists what there is now; `kind` is `task.kind`. Pulling, de-identifying and versioning are
the same for every source and stand in `tasks.pull`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.common.params.whole import Params


@dataclass(frozen=True)
class Item:
    """One file at the source, read only when asked for.

    Attributes:
        name: by which the source knows it at every pull, such as a relative path or a UID. It may
            identify, so no more than its keyed pseudonym is kept.
        read: gives the original bytes.
        label: the class name; several of a multi-label image joined by `|`.
        patient_id: as the source has it; None where only a DICOM header may know.
        source_split: train, val or test where the source says so.
        slices: values of the cohort's slice columns that the source itself knows.
        masks: what gives the bytes of each mask of a finding, by its name at the source. Nothing
            trains on them; explanations are held to them.
    """

    name: str
    read: Callable[[], bytes]
    label: str
    patient_id: str | None = None
    source_split: str | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    masks: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """What a source has, and what a person should know about how it was read.

    Attributes:
        items: the images.
        notes: for the log, so they name no file, column or value of the source.
        details: what the notes count, by name. They may identify, so they go to a local file.
        passed_by: names of what was left out, by the reason; notes and details speak of them.
    """

    items: Sequence[Item]
    notes: Sequence[str] = ()
    details: Sequence[str] = ()
    passed_by: Mapping[str, Collection[str]] = field(default_factory=dict)


def itemise(named: Mapping[str, Collection[str]]) -> list[str]:
    """Details: names below what they have in common."""
    blocks = [[f"{what}:", *sorted(names)] for what, names in sorted(named.items()) if names]
    return [line for block in blocks for line in block]


def open_source(params: Params) -> Listing:
    """List the source that `pull.source` names.

    Raises:
        SourceError: it is missing or malformed; the message collects every problem.
    """
    source = import_module(f"tasks.sources.{params.pull.source}")
    listing: Listing = source.listing(params.pull, params.task.kind)
    return listing
