import re

from worlds.project import ROOT

from tasks.common import paths
from tasks.common.paths import StateEntry


def test_what_shows_patients_is_found_in_the_state_of_every_machine(workspace):
    names = ["packs", "prefix", "checkpoints", "downloads", "pull_details.txt"]
    names += ["originals.json", "external_originals.json"]
    (paths.state_of_machine(1)).mkdir(parents=True)
    homes = [paths.state(), paths.state() / "machine-1"]
    assert paths.showing_patients() == [home / name for home in homes for name in names]


def test_no_other_module_spells_a_place_in_the_state_folder():
    """A withdrawal would not know of it."""
    files = [*(ROOT / "tasks").rglob("*.py"), *(ROOT / "flows").rglob("*.py")]
    texts = {file: file.read_text() for file in files if file.name != "paths.py"}
    assert not [str(file) for file, text in texts.items() if re.search(r"\bstate\(\) */", text)]
    used = {
        entry
        for entry in StateEntry
        if any(f"StateEntry.{entry.name}" in t for t in texts.values())
    }
    assert used == set(StateEntry)
