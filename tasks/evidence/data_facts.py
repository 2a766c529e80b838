"""Sentences about the images: where they come from, who is in them, how they were split."""

from __future__ import annotations

from tasks.common import slices
from tasks.common.manifest import SPLITS
from tasks.common.wording import count, leak, too_small
from tasks.evidence.checklist import Facts

SOURCES = {
    "phantom": "Synthetic images that a program has drawn; no patient is in them",
    "folder": "Image files with labels, from a folder, a CSV or an archive",
    "dicom": "DICOM files with labels, from a table or a header field",
    "medmnist": "MedMNIST, a public collection",
    "tcia": "The Cancer Imaging Archive, a public archive",
    "idc": "Imaging Data Commons, a public archive",
}


def source(facts: Facts) -> str:
    """Of what kind the source is; where it lies is nobody's business."""
    return f"{SOURCES[facts['about']['source']]}."


def flow(facts: Facts) -> str:
    """How many came, and where they went."""
    receipt = facts["receipt"]
    sides = [f"{name} {_of_patients(receipt['splits'][name])}" for name in SPLITS]
    pulled = count(receipt["flow"]["pulled"], "image")
    return f"{pulled} pulled. {left_out(facts)} Used: {_of_patients(receipt)}; {', '.join(sides)}."


def _of_patients(numbers: Facts) -> str:
    return f"{count(numbers['images'], 'image')} of {count(numbers['patients'], 'patient')}"


def left_out(facts: Facts) -> str:
    """What is not used, and why."""
    reasons = facts["receipt"]["flow"]["left_out"]
    told = [f"{images:,} {why.replace('_', ' ')}" for why, images in reasons.items()]
    return f"Left out of the images: {', '.join(told) or 'none'}."


def missing(facts: Facts) -> str:
    """What is done where something is not known."""
    alone = facts["receipt"]["images_without_patient_id"]
    told = (
        "Nothing is imputed: an image that cannot be read is quarantined, and a patient of whom a "
        "field is not known is in no subgroup of it."
    )
    if not alone:
        return told
    return f"{told} {count(alone, 'image')} without a patient id: each counts as a patient."


def deidentified(facts: Facts) -> str:
    """What is removed before anything is stored."""
    return (
        "Before anything is stored: DICOM by the Basic Profile of PS3.15 on top of an allow-list, "
        "other formats without their metadata, keyed pseudonyms for ids. What is recorded is "
        "searched for identifiers that the source knows."
    )


def preprocessing(facts: Facts) -> str:
    """From a file to what the network sees."""
    pixels = facts["parameters"]["preprocess"]
    height, width = pixels["size"]
    window = pixels["window"] or "of the header"
    if isinstance(window, list):
        window = f"with centre {window[0]:g} and width {window[1]:g}"
    color = {"grey": "grey", "rgb": "colour"}[pixels["color"]]
    kept = "with its aspect ratio, between bars of black, " if pixels["fit"] == "pad" else ""
    return (
        f"Decoded, DICOM through the window {window}, and resized {kept}to {height} by {width} "
        f"pixels in {color}. The packaged model does the same to every file that it is given."
    )


def partition(facts: Facts) -> str:
    """Who decided about the sides, and how."""
    split, given = facts["parameters"]["split"], facts["receipt"]["sides_from_source"]
    drawn = (
        f"Patients are drawn, stratified by label, each batch on its own with seed {split['seed']}"
    )
    if given:
        return f"The source gives {' and '.join(given)}. What it does not give: {drawn}."
    if split["folds"]:
        val = f"fold {split['fold']} of {split['folds']} folds is val"
    else:
        val = f"{split['val']:.0%} go to val"
    return f"{drawn}: {split['test']:.0%} go to test, {val}, the others to train."


def disjoint(facts: Facts) -> str:
    """What no two sides have in common."""
    receipt = facts["receipt"]
    if receipt["on_leak"] == "report" and leak(receipt):
        return f"Not disjoint: {leak(receipt)} stand on two sides of the split that was given."
    return "By patient and by picture: no patient, and no copy of a picture, is on two sides."


def sizes(facts: Facts) -> str:
    """How large test is, and whether that is enough."""
    test = facts["receipt"]["splits"]["test"]
    classes = ", ".join(f"{name} {number:,}" for name, number in test["classes"].items())
    small = too_small(facts["metrics"])
    return f"Test has {_of_patients(test)}: {classes}." + f" {small}." * bool(small)


UNKNOWN = "the source gives neither age, sex, site nor device; pull.slices keeps other columns"


def demographics(facts: Facts) -> str:
    """By what patients and devices are told apart; empty where the source knows of neither."""
    names = [slices.name_of(name).replace("_", " ") for name in facts["receipt"]["table_one"]]
    return f"Table 1 has, for train, val and test: {', '.join(names)}." if names else ""
