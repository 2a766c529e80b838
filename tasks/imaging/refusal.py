"""What libraries raise at a damaged file, as the one error that means quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from tasks.common.errors import DecodeError, MedloopError


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Make any exception but the project's own a DecodeError, without its message, which may quote
    the file. A lack of memory stays one: where there is more, the same file is read.
    """
    try:
        yield
    except (MedloopError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"OpenCV, for a {what}") from None
        raise DecodeError(f"broken {what} ({type(error).__name__})") from None
