"""The tables of a report, cut from what the stages wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.common.manifest import SPLITS
from tasks.common.wording import interval, judged, number
from tasks.pictures.page import Grid, heading
from tasks.reporting.weak_slices import Weak

Facts = Mapping[str, Any]
AT_POINT = ("sensitivity", "specificity", "ppv", "npv", "ppv_at_prevalence", "npv_at_prevalence")
PERFORMANCE = (
    *("auroc", "auroc_weighted", *AT_POINT, "auprc", "balanced_accuracy"),
    *("accuracy", "accuracy_at_half", "f1", "mcc"),
)
CALIBRATION = ("calibration_slope", "ece", "brier", "loss")
OF_CLASSES = ("auroc", "sensitivity", "specificity", "ppv", "npv")
BY_MASKS = ("pointing", "energy")
BY_SCORES = ("deletion", "insertion", "shuffled_correlation")
OF_SLICES = ("auroc", "sensitivity", "specificity")


def beside(columns: Mapping[str, Facts], figures: Sequence[str]) -> Grid:
    """Figures, one per row, of several sets of images; those that the first has."""
    first = next(iter(columns.values()))
    rows = [
        (heading(name), [column.get(name) for column in columns.values()])
        for name in figures
        if name in first
    ]
    return Grid(list(columns), rows)


def by_class(found: Facts, images: int) -> Grid:
    """Prevalence and figures of each class among so many images."""
    names = [heading(name) for name in OF_CLASSES]
    rows = [
        (
            name,
            [
                one["positives"],
                f"{one['positives'] / images:.1%}",
                *(one.get(f) for f in OF_CLASSES),
            ],
        )
        for name, one in found.items()
    ]
    return Grid(["Images with it", "Prevalence", *names], rows)


def by_slice(column: str, values: Mapping[str, Facts], units: str, weak: Sequence[Weak]) -> Grid:
    """Figures of each value of a slice column, the weak ones marked; `units` is what its counts of
    patients count.
    """
    marked = {(one.value, one.figure) for one in weak if one.column == column}
    rows = [
        (
            value,
            [
                found["images"],
                found["patients"],
                *(found[name] | {"weak": (value, name) in marked} for name in OF_SLICES),
            ],
        )
        for value, found in values.items()
    ]
    return Grid(["Images", units.capitalize(), *map(heading, OF_SLICES)], rows)


def table_one(receipt: Facts) -> Grid:
    """Counts, labels, and what is known of the patients, by side."""
    sides = receipt["splits"]
    rows = [(heading(key), [sides[side][key] for side in SPLITS]) for key in ("images", "patients")]
    if joined(receipt):
        rows.append(("Groups of patients", [sides[side]["groups"] for side in SPLITS]))
    for name in sides["train"]["classes"]:
        rows.append((name, [_share(sides[side]["classes"][name], sides[side]) for side in SPLITS]))
    for column, values in receipt["table_one"].items():
        for value, counts in values.items():
            cells = [_share(counts[side], sides[side]) for side in SPLITS]
            rows.append((f"{heading(column)}: {value}", cells))
        unknown = [
            sides[side]["images"] - sum(counts[side] for counts in values.values())
            for side in SPLITS
        ]
        if any(unknown):
            cells = [_share(n, sides[side]) for n, side in zip(unknown, SPLITS, strict=True)]
            rows.append((f"{heading(column)}: not known", cells))
    return Grid(list(SPLITS), rows)


def joined(receipt: Facts) -> int:
    """How many patients count together with another, since their pictures are alike."""
    return int(receipt["duplicates"]["patients_joined_to_another"])


def _share(count: int, side: Facts) -> str:
    return f"{count:,} ({count / side['images']:.1%})" if side["images"] else f"{count:,}"


def of_heatmaps(classes: Facts) -> Grid:
    """What the tests of heatmaps found, by class, beside what chance gives; those by masks where
    there are any.
    """
    masked = any(found["by_masks"] for found in classes.values())
    head = ["Images with masks", *map(heading, BY_MASKS)] * masked
    head += ["Images", *map(heading, BY_SCORES), "Beats chance"]
    rows = [
        (
            name,
            [
                *_of_masks(found["by_masks"]) * masked,
                *_of_scores(found["by_scores"]),
                judged(found["beats_chance"]),
            ],
        )
        for name, found in classes.items()
    ]
    return Grid(head, rows)


def _of_masks(masks: Facts | None) -> list[Any]:
    if not masks:
        return [0, *[None] * len(BY_MASKS)]
    told = [
        f"{interval(masks[name])}, chance {number(masks[f'{name}_by_chance'])}" for name in BY_MASKS
    ]
    return [masks["images"], *told]


def _of_scores(scores: Facts | None) -> list[Any]:
    if not scores:
        return [0, *[None] * len(BY_SCORES)]
    return [scores["images"], *(scores[name] for name in BY_SCORES)]


def of_int8(compared: Facts | None) -> Grid | None:
    """What int8 changes, by side; None where it could not be made."""
    if compared is None:
        return None
    rows = [
        (heading(name), [_of_int8(name, side[name]) for side in compared.values()])
        for name in next(iter(compared.values()))
    ]
    return Grid(list(compared), rows)


def _of_int8(name: str, value: Any) -> Any:
    if name == "changed":
        return f"{value:.1%}"
    return number(value) if isinstance(value, float) else value


def of_files(files: Facts) -> Grid:
    """Size of each file of the package, and the recalibration that it was given."""
    rows = []
    for name, found in files.items():
        shifts = [number(shift) for shift in found.get("shifts", [])]
        rows.append((name, [found["bytes"], number(found["temperature"]), shifts]))
    return Grid(["Bytes", "Temperature", "Shift"], rows)


def external(metrics: Facts) -> dict[str, Grid]:
    """The tables of the external test; none where there was none."""
    if "external" not in metrics:
        return {}
    others, test = metrics["external"], metrics["test"]
    sides = {
        "external": others,
        "external, per patient": others["per_patient"],
        "test": test,
    }
    calibrated = {
        "external, as scored": others,
        "external, calibrated": others["calibrated"],
        "test, calibrated": test["calibrated"],
    }
    found = {
        "performance": beside(sides, PERFORMANCE),
        "calibration": beside(calibrated, CALIBRATION),
    }
    if "classes" in others:
        found["classes"] = by_class(others["classes"], others["images"])
    return found


def of_metrics(metrics: Facts) -> dict[str, Grid]:
    """The tables of performance and calibration."""
    test, val = metrics["test"], metrics["val"]
    sides = {"test": test, "test, per patient": test["per_patient"], "val": val}
    calibrated = {
        "test, as scored": test,
        "test, calibrated": test["calibrated"],
        "val, calibrated (fitted on it)": val["calibrated"],
    }
    found = {
        "performance": beside(sides, PERFORMANCE),
        "calibration": beside(calibrated, CALIBRATION),
    }
    return found | (
        {"classes": by_class(test["classes"], test["images"])} if "classes" in test else {}
    )
