"""Damaged files are decoded or refused; nothing else happens, and the harness would see it."""

from __future__ import annotations

import pytest

from tests.fuzz import failing, harness, seeds
from tests.fuzz.mutate import mutated

QUICK, ALL = 300, 20_000


@pytest.fixture(autouse=True)
def _state(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDLOOP_STATE", str(tmp_path))


def test_seeds_are_good():
    """Whole files decode, so what is refused is refused for the damage."""
    pictures = seeds.pictures()
    clean = [harness.deidentify(picture, harness.PSEUDONYMS, "keep") for picture in pictures]
    for picture, result in zip(pictures, clean, strict=True):
        for settings in harness.SETTINGS:
            before = harness.prepare(picture, settings)
            after = harness.prepare(result.content, settings)
            assert (before.pixels == after.pixels).all()


def test_damage_repeats():
    pictures = seeds.pictures()
    first = [mutated(pictures, number) for number in range(50)]
    assert first == [mutated(seeds.pictures(), number) for number in range(50)]
    assert len(set(first)) > 40


def test_damaged_files_are_decoded_or_refused():
    outcome = harness.run(QUICK)
    assert outcome.findings == []
    assert outcome.decoded > QUICK / 20
    assert outcome.refused > QUICK / 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_thousand_damaged_files():
    assert harness.run(ALL).findings == []


def test_harness_sees_what_fails_and_goes_on():
    outcome = harness.run(12, check=failing.check, seconds=8.0)  # a busy machine fills 1 GiB in 4
    problems = {finding.number: finding.problem for finding in outcome.findings}
    assert "ZeroDivisionError" in problems.pop(failing.RAISES)
    assert "crash" in problems.pop(failing.CRASHES)
    assert problems.pop(failing.HANGS) == "hang"
    assert "memory" in problems.pop(failing.GROWS).lower()
    assert problems == {}
    assert (outcome.decoded, outcome.refused) == (4, 4)
