import ast
import subprocess
import sys

import pytest
from worlds.serving import write_package

from tasks.common import closure
from tasks.serving import packing

# Two packages and the repository's own code in one process, each with modules of its own.
TWO = """
import sys
sys.path[:0] = sys.argv[1:4]
import importlib, numpy as np
from tasks.serving.classifier import Classifier
loaders = [importlib.import_module(name) for name in sys.argv[4:]]
models = [of._load_pyfunc(folder.replace("/code", "/serving"))
          for of, folder in zip(loaders, sys.argv[2:4])]
pixels = np.full((1, 32, 32, 1), 200, np.uint8)
print(*[round(m.classifier.answer(pixels)["score_nodule"][0], 3) for m in models])
kinds = {type(m.classifier) for m in models} | {Classifier}
print(len(kinds), len({sys.modules[kind.__module__].prepare.__module__ for kind in kinds}))
"""


def test_the_code_is_what_the_entry_imports_under_another_name(tmp_path):
    loader = packing.write_code(tmp_path)
    assert loader == packing.loader(tmp_path)
    (package,) = tmp_path.iterdir()
    files = {file.relative_to(package).as_posix() for file in package.rglob("*.py")}
    assert {"imaging/preparation.py", "serving/pyfunc.py", "common/errors.py"} <= files
    rooms = ("registry/", "networks/", "compression/", "sources/", "intake/")
    assert not any(name.startswith(rooms) for name in files)
    imported = {
        name
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _names(node)
    }
    assert not {name for name in imported if name.partition(".")[0] == "tasks"}


def _names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_neither_training_nor_mlflow_is_needed():
    foreign = closure.libraries(packing.ENTRY) - sys.stdlib_module_names
    assert not foreign & {"keras", "tensorflow", "mlflow", "scipy", "sklearn", "prefect", "dvc"}
    assert "onnxruntime" in foreign


def test_only_imports_are_renamed():
    source = b'from tasks.common import paths\nX = "from tasks"\nif X:\n    from tasks.a import b\n'
    found = packing.renamed(source, "medloop_1")
    assert found.startswith(b'from medloop_1.common import paths\nX = "from tasks"\n')
    assert found.endswith(b"    from medloop_1.a import b\n")
    with pytest.raises(ValueError, match="in line 1 that no other name fits into"):
        packing.renamed(b"import tasks\n", "medloop_1")


def test_two_packages_and_the_repository_live_in_one_process(tmp_path):
    write_package(tmp_path / "one")
    write_package(tmp_path / "two", gain=-20.0)
    code = tmp_path / "two" / "code"
    loader = packing.loader(code).partition(".")[0]
    (code / loader).rename(code / "medloop_other")  # as another state of the code would be named
    for file in (code / "medloop_other").rglob("*.py"):
        file.write_text(file.read_text().replace(f"from {loader}", "from medloop_other"))
    done = subprocess.run(
        [
            *(sys.executable, "-c", TWO, str(closure.ROOT)),
            *(str(tmp_path / name / "code") for name in ("one", "two")),
            *(packing.loader(tmp_path / name / "code") for name in ("one", "two")),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1.0", "0.0", "3", "3"]


def test_the_digest_covers_every_file_and_what_is_loaded(tmp_path):
    write_package(tmp_path)
    serving, code = tmp_path / "serving", tmp_path / "code"
    loader = packing.loader(code)
    first = packing.digest(serving, code, loader)
    assert packing.digest(serving, code, loader) == first
    assert packing.digest(serving, code, "another.module") != first
    changed = [serving / "serving.json", serving / "float.onnx", *code.rglob("errors.py")]
    for file in [*changed, code / "numpy.py"]:
        before = file.read_bytes() if file.exists() else None
        file.write_bytes((before or b"") + b" ")
        assert packing.digest(serving, code, loader) != first
        file.unlink() if before is None else file.write_bytes(before)
    assert packing.digest(serving, code, loader) == first
