"""Runs, versions, the gate and the ledger: MLflow lives here.

MLflow takes seconds to import, so modules on a cheap path import it where it is used. It reads its
settings when it is imported, so they stand here; what the environment says stays.
"""

import os

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # They open the pages for language models, and tell the password that an address may hold.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
