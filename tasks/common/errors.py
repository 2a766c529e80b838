"""The project's exceptions.

MedloopError                 something a person can fix; the message says how
├── WorkspaceError           the folder or the machine lacks what every run needs
├── ParameterError           params.yaml or a command-line value is not acceptable
├── SourceError              the source of the images is missing or malformed
│   └── RefusedError         a server refuses, and would do so again
├── DataError                the data break a rule that the pipeline stands on
│   ├── DecodeError          one file cannot be turned into pixels
│   ├── LeakError            a patient or a picture stands on two sides of the split
│   └── ValidationError      an expectation over the data failed
├── PrivacyError             going on could disclose an identity
├── WeightsError             pretrained weights cannot be had or do not fit
├── TrainingError            training cannot give a usable model
│   ├── NoRoomError          the disk has no room for stored activations; training does without
│   └── NoMemoryError        the device has too little memory
└── RegistryError            the MLflow registry or the ledger refuses

Every message states what was required, what was received, and the command or key that fixes it.

Outside of the tree, and caught before a person meets them: `AttemptError` (one of several attempts
at a download failed), `HeldError` (another process holds a lock), and of the flows `CommandError`
(a command's status is not 0; the command has said why), `BusyError` (another flow works in this
workspace) and `StoppedError` (Ctrl-C).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

# What a disk, or whoever set its rights, refuses; any other error of the system is a fault here.
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO}
IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR}  # a file for a folder, or the reverse


class MedloopError(Exception):
    """Base of everything that a person can fix."""


class WorkspaceError(MedloopError):
    """The folder or the machine lacks what every run needs."""


class ParameterError(MedloopError):
    """A parameter is unknown, of the wrong type or out of range."""


class SourceError(MedloopError):
    """The source of the images is missing or malformed."""


class DataError(MedloopError):
    """The data break a rule that the pipeline stands on."""


class DecodeError(DataError):
    """One file cannot be turned into pixels; the message is its reason for quarantine."""


class LeakError(DataError):
    """A patient or a picture stands on two sides of the split."""


class ValidationError(DataError):
    """An expectation over the data failed."""


class PrivacyError(MedloopError):
    """Going on could disclose an identity."""


class WeightsError(MedloopError):
    """Pretrained weights cannot be had or do not fit the network."""


class TrainingError(MedloopError):
    """Training cannot give a usable model."""


class RegistryError(MedloopError):
    """The MLflow registry or the ledger refuses."""


def command(main: Callable[[], None]) -> Callable[[], None]:
    """Make `main` end an error that a person can fix, or what the disk refuses, with a message and
    status 1, without a traceback; a stage that is called before those it needs ends so too.
    """

    @wraps(main)
    def run() -> None:
        from tasks.common import paths

        try:
            paths.clear_state()
            if main.__module__ == "__main__":
                _hold_to_order()
            main()
        except MedloopError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            sys.exit(1)
        except OSError as error:
            if error.errno not in REFUSED | IN_THE_WAY:
                raise
            print(f"{type(error).__name__}: {_refusal(error)}", file=sys.stderr)
            sys.exit(1)

    return run


def _hold_to_order() -> None:
    """Errors as in `pipeline.require_inputs`, for the stage that `python -m tasks.<stage>` runs."""
    from tasks.common import paths, pipeline  # they build on this module

    spec = sys.modules["__main__"].__spec__
    name = spec.name.rpartition(".")[2] if spec else ""
    if paths.DVC_YAML.exists() and name in pipeline.stages():
        pipeline.require_inputs(name)


def _refusal(error: OSError) -> str:
    from tasks.common import paths

    place = _place(error.filename)
    reason = os.strerror(error.errno or 0)  # the error's own text may name a file
    cure = "free space or fix the rights there"
    if error.errno in IN_THE_WAY:
        cure = "move away what stands in the way"
    if place == str(paths.state()):
        cure += ", or set MEDLOOP_STATE to another folder"
    return f"required: {place} to be writable; received: {reason}. Fix: {cure}, then run again"


def _place(file: object) -> str:
    """The folder of this project that a file is in; the file's own name may identify somebody."""
    from tasks.common import paths

    if not isinstance(file, str | os.PathLike):
        return "the disk"
    path = Path(file).absolute()
    own = {value.parts[0] for value in vars(paths).values() if isinstance(value, Path)}
    homes = [paths.state(), paths.store(), *(Path.cwd() / name for name in sorted(own))]
    return next((str(home) for home in homes if path.is_relative_to(home)), "the disk")
