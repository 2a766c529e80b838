"""How others train: what `benchmarks.time_to_quality` compares with.

Each module is a program, `python -m benchmarks.peers.<name> FOLDER`, that trains on what lies in
FOLDER and leaves its curve there; nothing of Medloop is imported, so that it also runs in the
environment of the tool that it shows.
"""
