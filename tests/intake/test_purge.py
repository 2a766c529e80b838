import io
import json
from types import SimpleNamespace

from tasks.common import paths
from tasks.intake import purge

FACTS = paths.START_FACTS.name


class Store:
    """Objects by id."""

    def __init__(self, **objects):
        self.objects = objects
        self.fs = SimpleNamespace(open=lambda path, mode: io.StringIO(objects[path]))

    def exists(self, oid):
        return oid in self.objects

    def oid_to_path(self, oid):
        return oid


def facts(*images):
    return json.dumps({"version": 3, "images": {"train": list(images), "val": ["b"]}})


def test_a_start_goes_that_has_learnt_from_somebody_who_goes():
    lists = {
        "raw.dir": {"a.png": "1"},
        "taught.dir": {FACTS: "f1", "model.keras": "m1"},
        "other.dir": {FACTS: "f2", "model.keras": "m2"},
        "half_gone.dir": {FACTS: "f3", "model.keras": "m3"},
    }
    stores = [Store(f1=facts("a-7", "c")), Store(f2=facts("c"))]
    assert purge._starts(stores, lists, {"a"}) == {"taught.dir", "half_gone.dir"}
    assert purge._starts(stores, lists, {"b"}) == {"taught.dir", "other.dir", "half_gone.dir"}
