import pytest

from tasks.registry import budget, ledger


def entered(kind="passed", version=2, **facts):
    return ledger.append(kind, "medloop", version, "digest", {"champion": 1} | facts)


def test_all_levels_together_stay_within_alpha_while_nothing_is_shown():
    """What is bid is a part of what is left: 1 - 1/2 - 1/6 - ..., so that the wealth lasts."""
    levels = [budget.level([False] * n, 0.05) for n in range(500)]
    assert levels[0] == pytest.approx(0.0475 / 2 / (1 + 0.0475 / 2))
    assert levels == sorted(levels, reverse=True)
    assert sum(levels) < 0.05


def test_what_is_shown_earns_a_new_budget():
    tired = budget.level([False] * 10, 0.05)
    fresh = budget.level([False] * 9 + [True], 0.05)
    assert fresh > 0.025 > tired


def test_the_ledger_counts_the_looks_at_one_test_set(workspace):
    ledger.append("first", "medloop", 1, "digest", {"champion": None})
    ledger.append("passed", "another", 1, "digest", {"champion": 3})
    entered()  # as old ledgers have it
    entered("failed", 3, better=False)
    entered("promoted", 3)
    entered(version=4, better=True)
    assert [look.version for look in budget.looks(ledger.read(), "medloop")] == [2, 3, 4]
    look = budget.next_look(budget.looks(ledger.read(), "medloop"), 0.05)
    assert look == budget.Budget(4, budget.level([False, False, True], 0.05))
    assert look.reason == (
        "this test set has decided 3 times before, so what counts as better lies above zero with "
        f"{1 - 2 * look.level:.2%} confidence too"
    )


def test_a_renewed_test_set_begins_anew(workspace):
    for version in range(5):
        entered(version=version, renewed=version == 3)
    assert [look.version for look in budget.looks(ledger.read(), "medloop")] == [3, 4]
    assert budget.next_look([], 0.05).reason == "this test set decides for the first time"
