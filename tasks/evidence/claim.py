"""CLAIM, the checklist for artificial intelligence in medical imaging, 2024 update: its 44 items.

Numbers and contents follow the list; the words are our own.
"""

from __future__ import annotations

from tasks.evidence import data_facts as data
from tasks.evidence import model_facts as model
from tasks.evidence import performance_facts as performance
from tasks.evidence.checklist import Checklist, Item, Place
from tasks.evidence.owner import Heading

TITLE = (
    Item("1", "Named as AI, and of which kind", model.technology, where=Place.PAGE_ONE),
    Item("2", "A summary of it all", performance.on_page_one, where=Place.PAGE_ONE),
)
INTRODUCTION = (
    Item("3", "Background and clinical role", owner=Heading.INTENDED_USE),
    Item("4", "Aims and hypotheses", owner=Heading.AIM),
)
DESIGN = (
    Item("5", "Prospective or retrospective", owner=Heading.DESIGN),
    Item("6", "What the study is to achieve", owner=Heading.AIM),
)
DATA = (
    Item("7", "Sources of the data", data.source, Heading.COLLECTION, Place.COHORT),
    Item("8", "Who and what is included", data.left_out, Heading.PATIENTS, Place.COHORT),
    Item("9", "Preprocessing", data.preprocessing, where=Place.PROVENANCE),
    Item("10", "Choice of subsets", data.left_out, where=Place.COHORT),
    Item("11", "De-identification", data.deidentified, where=Place.ON_PRIVACY),
    Item("12", "Missing data", data.missing, where=Place.COHORT),
    Item("13", "How the images were acquired", owner=Heading.ACQUISITION),
)
REFERENCE = (
    Item("14", "What the reference standard is", owner=Heading.REFERENCE),
    Item("15", "Why this reference standard", owner=Heading.REFERENCE),
    Item("16", "Who annotated, with what qualification", owner=Heading.ANNOTATORS),
    Item("17", "How the test set was annotated", owner=Heading.ANNOTATORS),
    Item("18", "Agreement within and between annotators", owner=Heading.ANNOTATORS),
)
PARTITIONS = (
    Item("19", "How data went to train, val and test", data.partition, where=Place.COHORT),
    Item("20", "At which level these are disjoint", data.disjoint, where=Place.COHORT),
    Item("21", "Intended size of the test set", data.sizes, Heading.SAMPLE_SIZE, Place.COHORT),
)
MODEL = (
    Item("22", "The model in detail", model.network, where=Place.PROVENANCE),
    Item("23", "Software with versions", model.software, where=Place.PROVENANCE),
    Item("24", "Initial weights", model.start, where=Place.PROVENANCE),
)
TRAINING = (
    Item("25", "How it was trained", model.training, where=Place.TRAINING),
    Item("26", "How the final model was chosen", model.selection, where=Place.TRAINING),
    Item("27", "Ensembles", model.no_ensemble, where=Place.TRAINING),
)
EVALUATION = (
    Item("28", "Which metrics", performance.measures, where=Place.PERFORMANCE),
    Item("29", "Uncertainty and significance", performance.uncertainty, where=Place.ON_STATISTICS),
    Item(
        "30",
        "Robustness",
        performance.robustness,
        where=Place.ROBUSTNESS,
        without=performance.UNDEFINED,
    ),
    Item(
        "31",
        "Explanations, and whether they were tested",
        performance.explained,
        where=Place.HEATMAPS,
        without=performance.UNTESTED,
    ),
    Item("32", "Test on internal data", performance.internal, where=Place.PERFORMANCE),
    Item(
        "33",
        "Test on external data",
        performance.external,
        where=Place.EXTERNAL,
        without=performance.NOT_ELSEWHERE,
    ),
    Item("34", "Registration of a trial", owner=Heading.REGISTRATION),
)
RESULTS = (
    Item("35", "Numbers included and left out", data.flow, where=Place.COHORT),
    Item(
        "36",
        "Characteristics of the patients",
        data.demographics,
        where=Place.COHORT,
        without=data.UNKNOWN,
    ),
    Item(
        "37",
        "Metrics with their uncertainty, on each side",
        performance.internal,
        where=Place.PERFORMANCE,
    ),
    Item("38", "Diagnostic accuracy with precision", performance.accuracy, None, Place.PERFORMANCE),
    Item("39", "Analysis of failures", performance.failures, where=Place.ERRORS),
)
DISCUSSION = (
    Item("40", "Limits and bias", performance.weaknesses, Heading.LIMITS, Place.PAGE_ONE),
    Item("41", "What it means for practice", owner=Heading.BENEFIT),
)
OTHER = (
    Item("42", "Protocol or technical details", model.details, where=Place.PROVENANCE),
    Item("43", "Availability of software, model and data", owner=Heading.AVAILABILITY),
    Item("44", "Funding, and the role of funders", owner=Heading.FUNDING),
)
CLAIM = Checklist(
    "CLAIM 2024",
    "Checklist for Artificial Intelligence in Medical Imaging, 2024 update: Tejani et al., "
    "Radiology: Artificial Intelligence 2024, 6(4), doi 10.1148/ryai.240300",
    "items",
    {
        "Title and abstract": TITLE,
        "Introduction": INTRODUCTION,
        "Study design": DESIGN,
        "Data": DATA,
        "Reference standard": REFERENCE,
        "Partitions": PARTITIONS,
        "Model": MODEL,
        "Training": TRAINING,
        "Evaluation": EVALUATION,
        "Results": RESULTS,
        "Discussion": DISCUSSION,
        "Other": OTHER,
    },
)
