"""How far one set of images has drifted from another, field by field, on one scale.

The effect of a number is Cohen's d, the difference of the means over the pooled standard deviation;
of a category it is Cohen's h, the difference of its shares on the arcsine scale, in which a share
of 0.5 against 0.6 counts less than 0.01 against 0.11. Both read alike: 0.2 is small, 0.5 medium and
0.8 large (Cohen 1988, Statistical Power Analysis, chapters 2 and 6).

What comes out is recorded, where names of patients are searched for: so 0.2 is called slight, for
people are called Small, and no measure is called by its author.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

FEW = 10  # distinct values up to which a number counts as a category: sizes, bits
SIGMAS = 3.0  # of an effect without drift, past which it is more than chance
WORDS = ((0.8, "large"), (0.5, "medium"), (0.2, "slight"), (0.0, "none"))
MISSING = "(missing)"


def compare(before: pd.DataFrame, after: pd.DataFrame, groups: tuple[int, int]) -> pd.DataFrame:
    """One row per field that both tables have and that holds anything, the largest effect first.

    Args:
        before: one row per image, one column per field; numbers are numeric columns.
        after: the same of the newer images.
        groups: patients in each. Images of a patient are alike, so chance goes by these.

    Returns:
        `field`, `measure`, `before` and `after` in words, `effect`, `size` in words, and `chance`:
        the effect that `SIGMAS` standard errors make, sqrt(1/n1 + 1/n2) each for d and h.
    """
    chance = SIGMAS * float(np.sqrt(sum(1 / count for count in groups)))
    rows = [
        {"field": str(name), **_effect(before[name], after[name])}
        for name in before
        if before[name].notna().any() or after[name].notna().any()
    ]
    columns = ["field", "measure", "before", "after", "effect", "size"]
    table = pd.DataFrame(rows, columns=columns).astype({"effect": "float64"})
    table = table.assign(chance=round(chance, 4))
    return table.sort_values(["effect", "field"], ascending=[False, True], ignore_index=True)


def _effect(before: pd.Series[Any], after: pd.Series[Any]) -> dict[str, Any]:
    several = pd.concat([before, after]).nunique() > FEW and before.notna().any()
    if several and after.notna().any() and pd.api.types.is_numeric_dtype(before):
        found = _cohens_d(before.dropna().to_numpy(float), after.dropna().to_numpy(float))
    else:
        found = _cohens_h(before, after)
    effect = round(found["effect"], 4)
    word = next(word for least, word in WORDS if effect >= least)
    return found | {"effect": effect, "size": word}


def _cohens_d(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> dict[str, Any]:
    pooled = np.sqrt((before.var() + after.var()) / 2)
    difference = abs(float(after.mean() - before.mean()))
    return {
        "measure": "d of the mean",
        "before": f"mean {before.mean():.4g}",
        "after": f"mean {after.mean():.4g}",
        "effect": difference / float(pooled),
    }


def _cohens_h(before: pd.Series[Any], after: pd.Series[Any]) -> dict[str, Any]:
    """Of the category whose share has changed most."""
    shares = pd.DataFrame({"before": _shares(before), "after": _shares(after)}).fillna(0.0)
    angles = 2 * np.arcsin(np.sqrt(shares.to_numpy()))
    effects = np.abs(angles[:, 1] - angles[:, 0])
    most = int(effects.round(9).argmax())  # of two categories both change alike: the first by name
    name = shares.index[most]
    return {
        "measure": "h of the share",
        "before": f"{name}: {shares['before'].iloc[most]:.1%}",
        "after": f"{name}: {shares['after'].iloc[most]:.1%}",
        "effect": float(effects[most]),
    }


def _shares(values: pd.Series[Any]) -> pd.Series[float]:
    """Share of each category, by name so that ties fall alike."""
    named = values.map(lambda value: MISSING if pd.isna(value) else _named(value))
    return named.value_counts(normalize=True).sort_index()


def _named(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
