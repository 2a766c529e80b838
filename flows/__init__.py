"""When it happens: Prefect flows. Nothing here imports Keras, TensorFlow or OpenCV.

Prefect reads its settings when it is imported, so the project's own stand here: a home of its own
in the state folder, no telemetry, and a log of one line an event.
"""

from __future__ import annotations

import os

from tasks.common import paths

# Prefect makes its home, but not the folder above it.
paths.state().mkdir(parents=True, exist_ok=True)
os.environ.setdefault("PREFECT_HOME", str(paths.StateEntry.PREFECT.path))
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
