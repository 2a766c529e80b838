"""Every path of the project, named once; a test holds `dvc.yaml` against this module.

Workspace paths are relative: DVC runs each stage in the folder of `dvc.yaml`, which in
`dvc exp run --temp` is a throw-away copy. State and the MLflow store stay with the main repository.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

DVC_YAML = Path("dvc.yaml")
PLOTS_PAGE = Path(".dvc/plots.html")  # what `dvc plots show` fills in; `.dvc/config` names it
DVC_LOCK = Path("dvc.lock")
PARAMS = Path("params.yaml")

CODE = Path("code")  # which code each stage runs


@dataclass(frozen=True)
class Versioned:
    """A folder that DVC versions."""

    folder: Path

    @property
    def version(self) -> Path:
        """What DVC writes of its version."""
        return self.folder.with_suffix(".dvc")


class Place(Versioned):
    """One that pull fills with de-identified images."""

    @property
    def cohort(self) -> Path:
        """One row per image."""
        return self.folder / "cohort.parquet"

    @property
    def identifiers(self) -> Path:
        """Keyed: what a source calls its patients."""
        return self.folder / "identifiers.parquet"

    @property
    def withdrawn(self) -> Path:
        """Who was withdrawn."""
        return self.folder / "withdrawn.json"

    @property
    def tables(self) -> tuple[Path, ...]:
        """All of its tables."""
        return self.cohort, self.identifiers, self.withdrawn


OWN = Place(Path("data/raw"))  # what is trained, chosen and tested on
RAW, RAW_DVC, COHORT = OWN.folder, OWN.version, OWN.cohort
IDENTIFIERS, WITHDRAWN = OWN.identifiers, OWN.withdrawn
EXTERNAL = Path("data/external")  # git holds this folder: a stage depends on it, filled or not
OTHERS = Place(EXTERNAL / "raw")  # what the model is measured on besides (`evaluate.external`)
PLACES = (OWN, OTHERS)
START = Path("data/start")  # git holds this folder too: training depends on it, filled or not
STARTED_FROM = Versioned(START / "version")  # the version that `train.start` names
START_MODEL = STARTED_FROM.folder / "model.keras"
START_FACTS = STARTED_FROM.folder / "start.json"  # which version it is, and what it was made for

IMAGES = Path("data/processed/images.parquet")
PACK = Path("data/processed/pack.json")
MANIFEST = Path("data/manifest.parquet")
SPLIT_RECEIPT = Path("reports/split.json")
SPLIT_FINDINGS = Path("reports/split_findings.csv")
VALIDATION = Path("reports/validation.json")
EXPECTATIONS = Path("gx")  # Great Expectations' context: the suites, edited by people
DRIFT = Path("reports/drift.json")
SHORTCUTS = Path("reports/shortcuts.json")
# No outs: what validation.json says, also where the stage fails, with the rows.
FINDINGS_PAGE = Path("reports/findings.html")
FINDINGS = Path("reports/findings.json")
DATA_DOCS = Path("reports/data_docs")  # of earlier versions: pages that load from the network

VIEWS = Path("data/views.json")
TEST_VIEWS = Path("data/test_views.json")
CONTACT_SHEET = Path("reports/augment/contact_sheet.png")

HEAD_MODEL = Path("models/head.keras")
HEAD_HISTORY = Path("reports/train/history.csv")
MODEL = Path("models/model.keras")
HISTORY = Path("reports/fine_tune/history.csv")
TRAINING = Path("reports/fine_tune/training.json")
BESIDE = Path(
    "data/beside_scores.parquet"
)  # what the start, and a training without it, say of test

SCORES = Path("data/scores.parquet")
OPERATING_POINT = Path("models/operating_point.json")
CALIBRATION = Path("models/calibration.json")
METRICS = Path("reports/metrics.json")
SUMMARY = Path("reports/summary.json")  # the few of them that `dvc metrics diff` compares
ROC = Path("reports/evaluate/roc.csv")
CONFUSION = Path("reports/evaluate/confusion.csv")
NET_BENEFIT = Path("reports/evaluate/net_benefit.csv")
FIGURES = Path("reports/evaluate/figures")
EXPLAIN = Path("reports/explain")
EXPLANATIONS = Path("reports/explanations.json")  # what their tests found
EXPLAINED = Path("reports/explained")  # no out: the images that a person chose
AUDIT = Path("reports/audit")
PACKAGE = Path("models/package")  # what is registered, and serves
SERVING = PACKAGE / "serving"  # its ONNX files, with what was fitted for them
PACKAGE_CODE = PACKAGE / "code"
SERVED_SCORES = Path("data/served_scores.parquet")  # what the one that serves says of val and test
COMPRESSION = Path("reports/compress.json")
OWNER = Path("docs/owner.md")  # what only people know of the model; git holds it
REPORT = Path("reports/report.html")
REPORT_IN_SHORT = Path("reports/report.md")
# No outs: both once more with what the gate knows, which writes them.
VERDICT = Path("reports/verdict.html")
MODEL_CARD = Path("reports/model_card.md")

TUNING = Path("reports/tuning")  # no out: what the last search for settings found

MACHINE = "machine-"  # begins the name of its folder of state


def root() -> Path:
    """The main repository: `$DVC_ROOT` where DVC sets it, else the current folder."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


class StateEntry(Enum):
    """What lies in the state folder: its name, with an ending if it is a file, and whether patients
    show in it: by images, as they are or as what a network made of them, or by names. Such must go
    when one is withdrawn.
    """

    PACKS = "packs", True
    PREFIX = "prefix", True  # stored activations
    CHECKPOINTS = "checkpoints", True
    TUNING = "tuning", False  # searches for settings: what was tried, and how it went
    COMPILED = "compiled", False  # what XLA made for the devices that are here
    DOWNLOADS = "downloads", True  # what sources fetched, as it came
    PULL_DETAILS = "pull_details.txt", True  # what the last pull's notes count, by name
    ORIGINALS = "originals.json", True  # what the source calls the files of `data/raw`
    EXTERNAL_ORIGINALS = "external_originals.json", True  # and those of `data/external/raw`
    PREFECT = "prefect", False
    FLOW_LOCK = "flow.lock", False
    SERVERS = "servers.json", False  # where those of `make server` answer
    RAW_LOCK = "raw.lock", False  # of the process that changes data/raw
    LAST_RUN = "last_run.json", False
    SECONDS = "seconds.json", False  # that each step of the flow took when it last ran

    @property
    def path(self) -> Path:
        """Where it lies."""
        return state() / self.value[0]


def state() -> Path:
    """The state folder: all of it can be deleted at any time."""
    return Path(os.environ.get("MEDLOOP_STATE") or root() / ".medloop").resolve()


def clear_state() -> None:
    """Remove what has a name of the state folder's own but is a file in place of a folder, or the
    reverse: what is meant there could not be written.
    """
    for path in (entry.path for entry in StateEntry):
        if path.suffix and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif not path.suffix and path.exists() and not path.is_dir():
            path.unlink()


def state_of_machine(number: int) -> Path:
    """The state folder of one of the machines that train together, which may share a disk."""
    return state() / f"{MACHINE}{number}"


def showing_patients() -> list[Path]:
    """What may show patients in the state folder, and in those of machines that trained here."""
    homes = [state(), *state().glob(f"{MACHINE}*")]
    names = [name for name, shows in (entry.value for entry in StateEntry) if shows]
    return [home / name for home in homes for name in names]


def store() -> Path:
    """The default MLflow store and the ledger."""
    return root() / "mlruns"


def ledger() -> Path:
    """What the gate said and what people promoted."""
    return store() / "ledger.jsonl"


def tracking_uri() -> str:
    """`$MLFLOW_TRACKING_URI`, with a relative SQLite path made absolute, or the default store."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{store() / 'mlflow.db'}"
    scheme, separator, path = uri.partition("sqlite:///")
    if separator and not scheme and not path.startswith("/"):
        return f"sqlite:///{root() / path}"
    return uri


def phantom() -> Path:
    """Where the phantom source writes its synthetic archive: it stands for a hospital's own."""
    return root() / "phantom"


def key_file() -> Path:
    """The key behind pseudonyms and UIDs; never in git, never in an artifact."""
    return Path(os.environ.get("MEDLOOP_KEY_FILE") or root() / "deid.key").resolve()
