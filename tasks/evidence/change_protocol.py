"""What may change at a retrain, how that is verified, and what could go wrong.

The three parts of a Predetermined Change Control Plan (FDA, final guidance of December 2024), with
the numbers of this project's parameters. It is a draft for the owner, no submission.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tasks.common import paths
from tasks.common.wording import ENOUGH, count
from tasks.evidence.checklist import Facts
from tasks.evidence.data_facts import partition, preprocessing
from tasks.evidence.model_facts import cutoff, length, looks
from tasks.evidence.owner import Answers, Heading


class Row(NamedTuple):
    """A question with its answer, or with a gap that the owner is to fill."""

    name: str
    text: str
    gap: bool = False


class Part(NamedTuple):
    """A part of the protocol."""

    heading: str
    rows: Sequence[Row]


def protocol(facts: Facts, answers: Answers) -> list[Part]:
    """All three parts."""
    return [
        Part("Description of modifications", _modifications(facts, answers)),
        Part("Modification protocol", _protocol(facts, answers)),
        Part("Impact assessment", _impact(facts, answers)),
    ]


def _of_owner(name: str, heading: Heading, answers: Answers) -> Row:
    said = answers[heading]
    return Row(name, said or f"say it in {paths.OWNER} under {heading}", not said)


def _modifications(facts: Facts, answers: Answers) -> list[Row]:
    about = facts["about"]
    point = "the operating point, " if facts["point"]["thresholds"] else ""
    return [
        _of_owner("What the model is for", Heading.INTENDED_USE, answers),
        Row(
            "What may change",
            f"More images of the same source ({about['source']}), and what is fitted to them: the "
            f"weights, {point}the recalibration and the sets of answers.",
        ),
        Row(
            "What stays",
            f"The task ({about['kind']}: {', '.join(about['classes'])}), the network "
            f"({about['backbone']}), the preparation of images, and what the model is for. "
            f"{_seen(facts)} Another value of one of these is outside of this protocol.",
        ),
        Row(
            "Who starts it",
            "A schedule or a person, at each retrain by the same steps. No version learns while it "
            "serves.",
        ),
    ]


def _seen(facts: Facts) -> str:
    return f"{preprocessing(facts)} {looks(facts)}".strip()


def _protocol(facts: Facts, answers: Answers) -> list[Row]:
    return [
        Row("Data", _data(facts)),
        Row("Retraining", _retraining(facts)),
        *_gate(facts),
        Row("Approval", _approval(facts)),
        Row(
            "Going back",
            "python -m flows.promote --rollback --reason WHY makes the champion before champion "
            "again. All versions stay in the registry, each with its own preparation.",
        ),
        _of_owner("Why, how often, and how users learn of it", Heading.UPDATES, answers),
    ]


def _data(facts: Facts) -> str:
    limit = facts["parameters"]["preprocess"]["max_quarantined"]
    return (
        f"{partition(facts)} Nobody changes sides, so test only grows. Nothing trains where more "
        f"than {limit:.0%} of the images are quarantined or an expectation fails; drift from "
        f"{facts['drift']['limit']:g} (Cohen's d or h) and shortcuts from an AUROC of "
        f"{facts['shortcuts']['limit']:g} are warned of."
    )


def _retraining(facts: Facts) -> str:
    train, fine_tune = facts["parameters"]["train"], facts["parameters"]["fine_tune"]
    later = f", then {length(fine_tune)} of fine-tuning" if fine_tune["epochs"] else ""
    return (
        f"Up to {count(train['epochs'], 'epoch')} of the head{later}; val chooses. The same inputs "
        f"give bitwise the same model. {cutoff(facts)}"
    )


def _gate(facts: Facts) -> list[Row]:
    gate = facts["gate"]
    floors, ends = gate["floors"], f"the {gate['confidence']:.0%} interval"
    return [
        Row(
            "Test of every version",
            f"On all of test: AUROC {floors['auroc']:g}, sensitivity {floors['sensitivity']:g} and "
            f"specificity {floors['specificity']:g} or more by the lower ends of {ends}; "
            f"calibration error {floors['calibration_error']:g} at most; the package within "
            f"{floors['parity']:g} of AUROC of its own network. Required are {ENOUGH} patients "
            f"with the finding and {ENOUGH} without.",
        ),
        Row(
            "Test of subgroups",
            f"Of {floors['min_images']} images or more: AUROC {floors['slice_auroc']:g} and "
            f"sensitivity {floors['slice_sensitivity']:g} or more. Smaller ones are told, not "
            "judged.",
        ),
        Row(
            "Test against the model in use",
            f"Paired, on the same test images, by the lower end of {ends}: at most "
            f"{gate['margin']:g} of AUROC below the champion, and {gate['reference_margin']:g} "
            "below the reference, which only a person moves.",
        ),
    ]


def _approval(facts: Facts) -> str:
    approvers = len(facts["gate"]["approvers"])
    first = "The first version that reaches the floors becomes champion; after that a person "
    if not approvers:
        return f"{first}promotes. Nobody is named in gate.approvers to agree first."
    named = "the one who is" if approvers == 1 else f"one of {approvers} who are"
    return (
        f"{first}promotes once {named} named in gate.approvers, and who did not start the "
        "training, has agreed. The ledger keeps each step, with who and why where that was given."
    )


def _impact(facts: Facts, answers: Answers) -> list[Row]:
    gate = facts["gate"]
    return [
        _of_owner("Benefit, and harm of a wrong answer", Heading.BENEFIT, answers),
        Row(
            "It is worse than the model in use",
            f"It does not pass unless shown to lose less than {gate['margin']:g} of AUROC.",
        ),
        Row(
            "Many small losses add up",
            f"Each is held to the reference too, which stays: at most {gate['reference_margin']:g} "
            "below it, however many retrains there were.",
        ),
        Row(
            "It is worse for some patients",
            "Floors for subgroups; what the source does not tell of a patient cannot be judged.",
        ),
        Row(
            "Chance on a test set that was asked often",
            "Over all looks the chance to call an equal model better is held to "
            f"{gate['alpha']:g}; each verdict says how many there were.",
        ),
        Row(
            "New images are unlike the old",
            "Drift and shortcuts are warned of, and each batch of arrival is a subgroup.",
        ),
        Row("One patient on two sides flatters", "Sides go by patient and by copies of pictures."),
        Row(
            "Labels are wrong",
            "A picture under two labels is quarantined; likely errors are listed for a person.",
        ),
        Row(
            "What serves answers otherwise than what was tested",
            "The package itself is judged, from files, in a process of its own.",
        ),
        _of_owner("What remains", Heading.LIMITS, answers),
    ]
