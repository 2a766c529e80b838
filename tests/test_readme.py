"""The READMEs tell the same, and name only what there is."""

import re

import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT
from worlds.readme import LANGUAGES, blocks

COMMANDS = "\n".join(blocks(LANGUAGES[0]))


def test_both_languages_tell_the_same_commands():
    assert len(COMMANDS) > 500
    for language in ("sh", "python"):
        english, chinese = (blocks(name, language) for name in LANGUAGES)
        assert english == chinese


def test_both_languages_have_the_same_sections_and_figures():
    english, chinese = ((ROOT / name).read_text("utf-8") for name in LANGUAGES)
    for pattern in (r"^(#+) ", r"^(-|\|) ", r"`([a-z_.]+\.[a-z_]+|python -m [^`]+|make [^`]+)`"):
        found = [re.findall(pattern, text, re.MULTILINE) for text in (english, chinese)]
        assert sorted(found[0]) == sorted(found[1])


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", COMMANDS))))
def test_modules_are_there(module):
    path = module.replace(".", "/")
    assert module.startswith("distributed.") or (ROOT / f"{path}.py").exists()


def test_targets_are_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([\w-]+)", COMMANDS, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_parameters_are_there():
    parameters = YAML(typ="safe").load(ROOT / "params.yaml")
    named = re.findall(r"(?:-S|--set) ([\w.]+)=", COMMANDS)
    assert named
    for key in named:
        section, _, name = key.partition(".")
        assert name in parameters[section], key
