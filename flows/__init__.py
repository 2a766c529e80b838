"""When it happens: Prefect flows. Nothing here imports Keras, TensorFlow or OpenCV.

Prefect reads its settings when it is imported, so the project's own stand here: a home of its own
in the state folder, no telemetry, a log of one line per event, and patience on a busy machine,
where its server was seen to take 106 s to start and gives itself 20.
"""

from __future__ import annotations

import os

from tasks.common import paths

STARTUP_SECONDS = 300  # for a server to start

SETTINGS = {
    "PREFECT_HOME": str(paths.StateEntry.PREFECT.path),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(STARTUP_SECONDS),
}
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
