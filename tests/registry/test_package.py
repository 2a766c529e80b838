from importlib import metadata

import pytest

from tasks.common import closure
from tasks.common.params.task import Task
from tasks.registry import package
from tasks.serving import packing

TRAINING = ("tensorflow", "keras", "mlflow==", "scikit-learn", "scipy", "prefect", "dvc")


def test_the_requirements_are_what_the_code_imports_pinned():
    found = package.requirements()
    assert {
        f"{name}=={metadata.version(name)}"
        for name in ("onnxruntime", "numpy", "pandas", "pydicom", "imagecodecs", "mlflow-skinny")
    } <= set(found)
    assert not [line for line in found if line.startswith(TRAINING)]


def test_an_import_more_is_a_requirement_more(monkeypatch):
    known = closure.libraries(packing.ENTRY)
    monkeypatch.setattr(closure, "libraries", lambda _: known | {"scipy"})
    assert f"scipy=={metadata.version('scipy')}" in package.requirements()


@pytest.mark.parametrize(
    ("kind", "classes", "scores"),
    [
        ("binary", ["a", "b"], ["score_b"]),
        ("multiclass", ["a", "b", "c"], ["score_a", "score_b", "score_c"]),
    ],
)
def test_the_signature_says_what_goes_in_and_comes_out(kind, classes, scores):
    signature = package.signature(Task(kind=kind, classes=classes))
    assert signature.inputs.input_names() == ["image", "frame"]
    assert signature.outputs.input_names() == ["prediction", *scores, "conformal_set", "heatmap"]
    assert [param.name for param in signature.params] == ["explain"]
