"""Shares of images, and what is made of them: sensitivity, predictive values, F1, Matthews'.

The effective number of images follows from the design effect, which few patients show badly: what
is seen has the weight of as many patients as went each way, the largest that is possible that of
`PRIOR` patients (`python -m benchmarks.coverage` measures it).
"""

from __future__ import annotations

import math

import numpy as np

from tasks.statistics import Array
from tasks.statistics.intervals import UNDEFINED, Estimate, Interval, combine, ratio, wilson
from tasks.statistics.patients import Patients

PRIOR = 2


def mean(values: Array, patients: Patients, confidence: float) -> Estimate:
    """The mean of `values` `(N,)` in [0, 1]."""
    return share(values, np.ones_like(values), patients, confidence)


def share(parts: Array, counted: Array, patients: Patients, confidence: float) -> Estimate:
    """The mean of `parts` `(N,)` in [0, 1] over the images that are `counted` `(N,)` (0 or 1)."""
    images = float(counted.sum())
    if images == 0:
        return Estimate(UNDEFINED, np.zeros(patients.count))
    value = min(float(parts @ counted) / images, 1.0)
    influence = counted * (parts - value) / images
    most = patients.images_per_patient(counted)
    clear = min(patients.having(parts * counted), patients.having((1 - parts) * counted))
    seen = patients.design_effect(influence, most)
    effect = (clear * seen + PRIOR * most) / (clear + PRIOR)
    alone = float((influence**2).sum())  # of independent images
    varied = value * (1 - value)
    size = varied / (alone * effect) if alone > 0 else images / most
    return Estimate(wilson(value, size, confidence), patients.totals(influence))


def sensitivity(y: Array, predicted: Array, patients: Patients, confidence: float) -> Estimate:
    """Share of the positives that are predicted positive."""
    return share(predicted, y, patients, confidence)


def specificity(y: Array, predicted: Array, patients: Patients, confidence: float) -> Estimate:
    """Share of the negatives that are predicted negative."""
    return share(1 - predicted, 1 - y, patients, confidence)


def ppv(y: Array, predicted: Array, patients: Patients, confidence: float) -> Estimate:
    """Positive predictive value: share of the predicted positives that are positive."""
    return share(y, predicted, patients, confidence)


def npv(y: Array, predicted: Array, patients: Patients, confidence: float) -> Estimate:
    """Negative predictive value: share of the predicted negatives that are negative."""
    return share(1 - y, 1 - predicted, patients, confidence)


def f1(y: Array, predicted: Array, patients: Patients, confidence: float) -> Estimate:
    """F1 = 2 J / (1 + J) of the share J of true positives among all that are or are called positive
    (the relation of Dice and Jaccard), whose interval it takes over.
    """
    jaccard = share(y * predicted, np.maximum(y, predicted), patients, confidence)
    return Estimate(Interval(*(2 * x / (1 + x) for x in jaccard.interval)), jaccard.totals)


def balanced_accuracy(
    y: Array, predicted: Array, patients: Patients, confidence: float
) -> Estimate:
    """Mean of sensitivity and specificity."""
    both = [rate(y, predicted, patients, confidence) for rate in (sensitivity, specificity)]
    return combine(both, [0.5, 0.5])


def mcc(y: Array, predicted: Array, patients: Patients, confidence: float) -> Estimate:
    """Matthews correlation coefficient (1975, Biochim. Biophys. Acta 405:442): Wilson's interval
    of (1 + MCC) / 2, with its variance.
    """
    p, q = float(y.mean()), float(predicted.mean())
    if p * (1 - p) * q * (1 - q) == 0:
        return Estimate(UNDEFINED, np.zeros(patients.count))
    first, second = (y - p) / math.sqrt(p * (1 - p)), (predicted - q) / math.sqrt(q * (1 - q))
    value = float(np.clip((first * second).mean(), -1, 1))
    influence = (first * second - value / 2 * (first**2 + second**2)) / len(y)
    totals = patients.totals(influence)
    variance = patients.variance(totals) / 4
    half = (1 + value) / 2
    fewest = len(y) / patients.images_per_patient(np.ones_like(y))
    size = half * (1 - half) / variance if variance > 1e-12 else fewest
    found = wilson(half, size, confidence)
    return Estimate(Interval(*(2 * x - 1 for x in found)), totals)


def predictive_values(
    sensitivity: Estimate, specificity: Estimate, prevalence: float
) -> tuple[Interval, Interval]:
    """PPV and NPV where the share `prevalence` of the images is positive, by Bayes' theorem
    (Altman & Bland 1994, BMJ 309:102), from the intervals of the likelihood ratios.
    """
    odds = prevalence / (1 - prevalence)
    false_positives, misses = _complement(specificity), _complement(sensitivity)
    positive, negative = ratio(false_positives, sensitivity), ratio(misses, specificity)
    return _falling(positive, 1 / odds), _falling(negative, odds)


def _complement(estimate: Estimate) -> Estimate:
    value, low, high = estimate.interval
    return Estimate(Interval(1 - value, 1 - high, 1 - low), -estimate.totals)


def _falling(likelihood: Interval, odds: float) -> Interval:
    """1 / (1 + odds x) of a ratio x."""
    value, low, high = (1 / (1 + odds * x) for x in likelihood)
    return Interval(value, high, low)
