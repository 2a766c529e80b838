"""The change protocol says what the parameters say."""

from __future__ import annotations

import pytest
from worlds.evidence import NOBODY, facts

from tasks.evidence.change_protocol import protocol
from tasks.evidence.owner import Heading


def rows(known, answers=NOBODY):
    return {row.name: row for part in protocol(known, answers) for row in part.rows}


def with_gate(defaults, **values):
    return defaults.model_copy(update={"gate": defaults.gate.model_copy(update=values)})


def test_it_has_the_three_parts(defaults):
    assert [part.heading for part in protocol(facts(defaults), NOBODY)] == [
        "Description of modifications",
        "Modification protocol",
        "Impact assessment",
    ]


def test_the_rules_of_the_gate_stand_with_their_numbers(defaults):
    found = rows(facts(defaults))
    assert found["Test of every version"].text == (
        "On all of test: AUROC 0.8, sensitivity 0.5 and specificity 0.5 or more by the lower ends "
        "of the 95% interval; calibration error 0.2 at most; the package within 0.01 of AUROC of "
        "its own network. Required are 10 patients with the finding and 10 without."
    )
    assert found["Test of subgroups"].text == (
        "Of 30 images or more: AUROC 0.7 and sensitivity 0.5 or more. Smaller ones are told, not "
        "judged."
    )
    known = facts(with_gate(defaults, margin=0.03, reference_margin=0.01, alpha=0.1))
    found = rows(known)
    assert "at most 0.03 of AUROC below the champion, and 0.01 below the reference" in (
        found["Test against the model in use"].text
    )
    assert "is held to 0.1;" in found["Chance on a test set that was asked often"].text


@pytest.mark.parametrize(
    ("epochs", "words"),
    [
        ("auto", ", then up to about 300 steps (an epoch at least) of fine-tuning; val chooses."),
        (5, ", then up to 5 epochs of fine-tuning; val chooses."),
        (0, "; val chooses."),
    ],
)
def test_a_retraining_is_as_long_as_it_is_set(defaults, epochs, words):
    later = defaults.fine_tune.model_copy(update={"epochs": epochs})
    known = facts(defaults.model_copy(update={"fine_tune": later}))
    said = [row.text for row in rows(known).values()]
    assert any(text.startswith(f"Up to 50 epochs of the head{words}") for text in said)


def test_approvers_are_counted_and_not_named(defaults):
    assert "Nobody is named in gate.approvers" in rows(facts(defaults))["Approval"].text
    one = rows(facts(with_gate(defaults, approvers=["ada"])))["Approval"].text
    assert "promotes once the one who is named in gate.approvers, and who did not start" in one
    two = rows(facts(with_gate(defaults, approvers=["ada", "grace"])))["Approval"].text
    assert "once one of 2 who are named" in two
    assert "ada" not in two


def test_what_may_change_and_what_not(defaults):
    found = rows(facts(defaults))
    assert "More images of the same source (phantom)" in found["What may change"].text
    assert "The task (binary: no_nodule, nodule), the network (EfficientNetLite0)" in (
        found["What stays"].text
    )
    data = found["Data"].text
    assert "Nothing trains where more than 5% of the images are quarantined" in data
    assert "drift from 0.5" in data
    assert "shortcuts from an AUROC of 0.6" in data


def test_what_only_the_owner_knows_is_a_gap_until_it_is_said(defaults):
    gaps = {name for name, row in rows(facts(defaults)).items() if row.gap}
    assert gaps == {
        "What the model is for",
        "Why, how often, and how users learn of it",
        "Benefit, and harm of a wrong answer",
        "What remains",
    }
    answers = NOBODY | {Heading.UPDATES: "Each month; by mail."}
    row = rows(facts(defaults), answers)["Why, how often, and how users learn of it"]
    assert (row.text, row.gap) == ("Each month; by mail.", False)
    assert row.text not in rows(facts(defaults))["Approval"].text
