"""What is done: one module per stage, and the rooms they share. Nothing here imports Prefect.

A command that a wrong Python runs, such as the system's, ends here in one line: the standard
library alone can say so.
"""

import importlib.util
import sys

NEEDED = ("ruamel", "pydantic", "pandas")  # no command does without

# While Python looks for the module of `python -m`, this stands in place of its file.
if sys.argv[:1] == ["-m"] and not all(map(importlib.util.find_spec, NEEDED)):
    sys.exit(
        f"Medloop's environment is not active: {sys.executable} lacks its packages. "
        "`source .venv/bin/activate` and run it again, or `make retrain`, `make repro` and "
        "`make doctor`, which find it themselves"
    )
