"""Measured claims: `python -m benchmarks.<name> [DATA]` compares with a named reference in one run.

Each prints a readable table and, last, `RESULT <name> <figure> goal <goal>`; it exits 0 when the
goal is met and 1 when not.
"""
