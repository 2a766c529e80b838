"""Age and sex in the coarse values that subgroup metrics use and that identify nobody."""

from __future__ import annotations

import re

OPEN_BAND = 90  # ages from here on are one band: the oldest are few enough to be recognised
SEXES = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M", "O": "O", "OTHER": "O"}
YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 1 / 52, "D": 1 / 365}


def years(text: str) -> float:
    """Age in years of a number such as `61`, or of a DICOM age string such as `061Y` or `018M`.

    Raises:
        ValueError: it is neither, or not between 0 and 150.
    """
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)([YMWD]?)", text.strip().upper())
    age = float(match[1]) * YEARS_PER[match[2] or "Y"] if match else -1.0
    if not 0 <= age <= 150:
        raise ValueError("an age is years from 0 to 150, such as 61 or 061Y")
    return age


def decade(age: float) -> int:
    """The lower end of the age's band, in years."""
    return min(int(age) // 10 * 10, OPEN_BAND)


def age_band(age: float) -> str:
    """`60-69` for an age of 61; `90+` is open."""
    lower = decade(age)
    return f"{lower}+" if lower == OPEN_BAND else f"{lower}-{lower + 9}"


def sex(text: str) -> str:
    """`F`, `M` or `O`.

    Raises:
        ValueError: the text is none of the spellings known.
    """
    try:
        return SEXES[text.strip().upper()]
    except KeyError:
        raise ValueError("a sex is F, M or O") from None
