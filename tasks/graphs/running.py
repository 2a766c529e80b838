"""Run a graph with ONNX Runtime on the processor."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime

FATAL = 4  # what ONNX Runtime logs beside what it raises


def session(graph: bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """What runs a serialised graph; 0 threads are as many as there are cores. Equal inputs give
    equal bits.
    """
    import onnxruntime  # only where there is a graph to run

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.use_deterministic_compute = True
    options.log_severity_level = FATAL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def runtime() -> str:
    """What results depend on beside the graph."""
    return f"onnxruntime {version('onnxruntime')}"
