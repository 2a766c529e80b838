"""Scores to metrics: numpy and scikit-learn, no pixels, no networks.

Shapes are the same everywhere: targets `(N, K)` in {0, 1} and scores `(N, K)` in [0, 1] of N
images and K = `labels.scores_per_image`, groups `(N,)` naming the patient of each image, weights
`(R, N)` saying how often each of R resamples holds each image. The plain value of a statistic is
the one with all weights 1, so each formula stands once.
"""
