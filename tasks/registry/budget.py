"""How often a test set has decided, and what it may still call better.

Each look at one test set is one more chance to call an equal model better. Alpha-investing (Foster
& Stine 2008, J. R. Stat. Soc. B 70:429) gives all looks a common wealth: a look bids a part of it,
loses the bid where it shows nothing, and earns where it does. Between looks that are independent
that holds the rate of false finds, and the chance of any while none is true, to `alpha`. Looks at
the same images are not independent: `python -m benchmarks.gate` measures what is left of it.
(Feng et al. 2021, Biometrics 77:31, gate-keep with it what changes over years.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.common.wording import count
from tasks.registry.ledger import VERDICTS, Entry


@dataclass(frozen=True)
class Budget:
    """Of one look.

    Attributes:
        look: its number, from 1, since the test set was new.
        level: the chance of calling an equal model better that it may take.
    """

    look: int
    level: float

    @property
    def reason(self) -> str:
        """In one sentence."""
        if self.look == 1:
            return "this test set decides for the first time"
        return (
            f"this test set has decided {count(self.look - 1, 'time')} before, so what counts as "
            f"better lies above zero with {1 - 2 * self.level:.2%} confidence too"
        )


def looks(entries: Sequence[Entry], model_name: str) -> list[Entry]:
    """The comparisons since the test set was new, oldest first."""
    found: list[Entry] = []
    for entry in entries:
        if entry.model_name != model_name or entry.kind not in VERDICTS:
            continue
        if entry.facts.get("champion") is None:
            continue
        found = [entry] if entry.facts.get("renewed") else [*found, entry]
    return found


def next_look(earlier: Sequence[Entry], alpha: float) -> Budget:
    """What the next look may take, after those."""
    shown = [entry.facts.get("better", False) for entry in earlier]
    return Budget(len(shown) + 1, level(shown, alpha))


def level(shown: Sequence[bool], alpha: float) -> float:
    """The level of the look after those that have `shown` something or not."""
    wealth, last = alpha * (1 - alpha), 0
    for look, found in enumerate(shown, start=1):
        bid = wealth / (1 + look - last)
        wealth, last = (wealth + alpha, look) if found else (wealth - bid, last)
    bid = wealth / (2 + len(shown) - last)
    return bid / (1 + bid)
