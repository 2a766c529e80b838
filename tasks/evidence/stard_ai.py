"""STARD-AI, for studies of the diagnostic accuracy of AI (2025): 40 items, 48 with their parts.

Numbers and contents follow the list; the words are our own.
"""

from __future__ import annotations

from tasks.evidence import data_facts as data
from tasks.evidence import model_facts as model
from tasks.evidence import performance_facts as performance
from tasks.evidence.checklist import Checklist, Item, Place
from tasks.evidence.owner import Heading

TITLE = (
    Item("1", "Named as a study of an AI's accuracy", model.study, where=Place.PAGE_ONE),
    Item("2", "A summary of it all", performance.on_page_one, where=Place.PAGE_ONE),
)
INTRODUCTION = (
    Item("3", "Background, intended use, place in the workflow", owner=Heading.INTENDED_USE),
    Item("4", "Aims and hypotheses", owner=Heading.AIM),
)
PARTICIPANTS = (
    Item("5", "Data collected before or after the tests", owner=Heading.DESIGN),
    Item("6", "Approval by an ethics committee", owner=Heading.ETHICS),
    Item("7", "Who and what is included", data.left_out, Heading.PATIENTS, Place.COHORT),
    Item("8", "On what grounds patients were found", owner=Heading.PATIENTS),
    Item("9", "Where and when", owner=Heading.PLACES),
    Item("10", "Consecutive, random or by convenience", owner=Heading.PATIENTS),
)
DATASET = (
    Item("11", "Source, and why the data exist", data.source, Heading.COLLECTION, Place.COHORT),
    Item("12", "Who annotated, and how", owner=Heading.ANNOTATORS),
    Item("13", "Devices and software", model.software, Heading.ACQUISITION, Place.PROVENANCE),
    Item(
        "14",
        "Acquisition and preprocessing",
        data.preprocessing,
        Heading.ACQUISITION,
        Place.PROVENANCE,
    ),
)
TESTS = (
    Item("15a", "The index test in detail", model.index_test, where=Place.PACKAGE),
    Item("15b", "How it was developed", model.development, where=Place.TRAINING),
    Item("15c", "Its cut-offs, and who set them", model.cutoff, where=Place.PERFORMANCE),
    Item("15d", "Who is to use it, with what expertise", owner=Heading.USERS),
    Item("16a", "The reference standard in detail", owner=Heading.REFERENCE),
    Item("16b", "Why this reference standard", owner=Heading.REFERENCE),
    Item("16c", "Its cut-offs, and who set them", owner=Heading.REFERENCE),
    Item("17a", "What the index test knew", model.blinded, where=Place.PROVENANCE),
    Item("17b", "What those who set the truth knew", owner=Heading.BLINDING),
)
ANALYSIS = (
    Item("18", "Estimates and comparisons", performance.uncertainty, where=Place.ON_STATISTICS),
    Item("19", "Indeterminate results", performance.indeterminate, where=Place.CALIBRATION),
    Item("20", "Missing data", data.missing, where=Place.COHORT),
    Item(
        "21",
        "Variability of the accuracy",
        performance.robustness,
        where=Place.ROBUSTNESS,
        without=performance.UNDEFINED,
    ),
    Item("22", "Intended sample size", data.sizes, Heading.SAMPLE_SIZE, Place.COHORT),
    Item(
        "23",
        "Errors and fairness by subgroup",
        performance.fairness,
        where=Place.SLICES,
        without=data.UNKNOWN,
    ),
)
PEOPLE = (
    Item("24", "Flow of patients", data.flow, where=Place.COHORT),
    Item(
        "25",
        "Characteristics of train, val and test",
        data.demographics,
        where=Place.COHORT,
        without=data.UNKNOWN,
    ),
    Item("26a", "Severity in those with the condition", owner=Heading.SPECTRUM),
    Item("26b", "Other diagnoses in those without", owner=Heading.SPECTRUM),
    Item("27", "Time and treatment between the tests", owner=Heading.BLINDING),
    Item("28", "Whether the data are as in use", data.sizes, Heading.SPECTRUM, Place.COHORT),
    Item(
        "29",
        "How external data differ",
        performance.external,
        where=Place.EXTERNAL,
        without=performance.NOT_ELSEWHERE,
    ),
)
RESULTS = (
    Item("30", "Answers against the reference", performance.cross_table, None, Place.PERFORMANCE),
    Item("31", "Accuracy with precision", performance.accuracy, where=Place.PERFORMANCE),
    Item("32", "Adverse events", owner=Heading.BENEFIT),
)
DISCUSSION = (
    Item("33", "Limits and bias", performance.weaknesses, Heading.LIMITS, Place.PAGE_ONE),
    Item("34", "What it means for practice", owner=Heading.BENEFIT),
    Item("35", "Ethics and fairness of its use", owner=Heading.ETHICS),
)
OTHER = (
    Item("36", "Registration", owner=Heading.REGISTRATION),
    Item("37", "Where the protocol is", model.details, Heading.REGISTRATION, Place.PROVENANCE),
    Item("38", "Funding, and the role of funders", owner=Heading.FUNDING),
    Item("39", "Commercial interests", owner=Heading.FUNDING),
    Item("40a", "Availability of data and code", owner=Heading.AVAILABILITY),
    Item("40b", "Whether outputs are kept to be audited", model.auditable, None, Place.ON_GATE),
)
STARD_AI = Checklist(
    "STARD-AI",
    "Standards for Reporting Diagnostic Accuracy, artificial intelligence: Sounderajah et al., "
    "Nature Medicine 2025, 31:3283, doi 10.1038/s41591-025-03953-8; its 40 items have 48 parts",
    "parts",
    {
        "Title and abstract": TITLE,
        "Introduction": INTRODUCTION,
        "Design and participants": PARTICIPANTS,
        "Data": DATASET,
        "Tests": TESTS,
        "Analysis": ANALYSIS,
        "Participants and data, results": PEOPLE,
        "Results": RESULTS,
        "Discussion": DISCUSSION,
        "Other": OTHER,
    },
)
