"""The champion's task, asked of a store without MLflow."""

from __future__ import annotations

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tasks.common import champion, paths
from tasks.common.champion import Champion

SCHEMA = """
    CREATE TABLE registered_model_aliases (alias, version, name);
    CREATE TABLE model_versions (name, version, run_id);
    CREATE TABLE params (key, value, run_uuid);
    INSERT INTO registered_model_aliases VALUES ('champion', 3, 'medloop'), ('champion', 1, 'b');
    INSERT INTO model_versions VALUES ('medloop', 3, 'r3'), ('medloop', 2, 'r2');
    INSERT INTO params VALUES ('task.kind', 'binary', 'r3'), ('task.classes', '["a", "b"]', 'r3'),
        ('task.kind', 'binary', 'r2'), ('train.epochs', '3', 'r3');
"""


def make(schema):
    path = paths.store() / "mlflow.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.executescript(schema)
    database.close()


def test_it_is_read_from_sqlite(workspace):
    make(SCHEMA)
    assert champion.find("medloop") == Champion(3, ["b"])
    assert champion.find("b") is None
    assert champion.find("chest's") is None


@pytest.mark.parametrize("schema", ["CREATE TABLE a (b)", SCHEMA.replace('["a", "b"]', "[odd")])
def test_a_store_that_does_not_tell_is_no_error(workspace, schema):
    assert champion.find("medloop") is None
    assert not paths.store().exists()
    make(schema)
    assert champion.find("medloop") is None


ANSWERS = {
    "registered-models/alias": {"model_version": {"version": "4", "run_id": "r4"}},
    "runs/get": {
        "run": {
            "data": {
                "params": [
                    {"key": "task.kind", "value": "multilabel"},
                    {"key": "task.classes", "value": "['x', 'y']"},
                ]
            }
        }
    },
}


@pytest.fixture
def server(workspace, monkeypatch):
    """A tracking server; what it was asked, with whose word."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            what = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
            self.send_response(200 if what in ANSWERS else 404)
            self.end_headers()
            self.wfile.write(json.dumps(ANSWERS.get(what, {})).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}/")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield asked
    server.shutdown()
    server.server_close()


def test_it_is_asked_of_a_server(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "word")
    assert champion.find("medloop") == Champion(4, ["x", "y"])
    assert [path.partition("?")[2] for path, _ in server] == [
        "name=medloop&alias=champion",
        "run_id=r4",
    ]
    assert {word for _, word in server} == {"Bearer word"}


def test_a_server_that_knows_none_or_is_gone_is_no_error(server, monkeypatch):
    monkeypatch.setitem(ANSWERS, "runs/get", {})
    assert champion.find("medloop") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert champion.find("medloop") is None
