"""The README's recipe for a second machine, as it stands there."""

from worlds.project import run
from worlds.readme import LANGUAGES, recipe

PIPELINE = """\
stages:
  train:
    cmd: cp data/raw/images.csv model.txt
    deps: [data/raw]
    params: [train.epochs]
    outs: [model.txt]
"""


def test_another_clone_computes_nothing_after_the_recipe(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "data/raw").mkdir(parents=True)
    (first / "data/raw/images.csv").write_text("a.png\n")
    (first / "dvc.yaml").write_text(PIPELINE)
    (first / "params.yaml").write_text("train:\n  epochs: 1\n")
    (first / ".gitignore").write_text("/data/raw\n/model.txt\n")
    for command in ("git init -q", "dvc init -q", "git add -A", "git commit -qm project"):
        run(*command.split(), cwd=first)
    (first / "params.yaml").write_text("train:\n  epochs: 2\n")
    run("dvc", "add", "-q", "data/raw", cwd=first)
    run("dvc", "repro", "-q", cwd=first)
    run("bash", "-ec", recipe(LANGUAGES[0], tmp_path / "remote"), cwd=first)
    run("git", "clone", "-q", str(first), str(second), cwd=tmp_path)
    said = run("dvc", "repro", "--pull", cwd=second).stdout
    assert "Running stage" not in said
    assert (second / "model.txt").read_text() == "a.png\n"
    assert run("git", "status", "--porcelain", cwd=first).stdout == ""
