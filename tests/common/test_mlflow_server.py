"""A server of MLflow's, asked without MLflow."""

from __future__ import annotations

import pytest
import requests

from tasks.common import mlflow_server

URI = "http://127.0.0.1:5000/"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What was asked of a server that answers 200; its answer can be set."""
    calls, answer = [], requests.Response()
    answer.status_code, answer._content = 200, b'{"user": {"username": "ada"}}'

    def get(url, which, **options):
        calls.append((url, options))
        return answer

    monkeypatch.setattr(requests, "get", get)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("USERNAME", "PASSWORD", "TOKEN", "INSECURE_TLS", "SERVER_CERT_PATH"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    calls.append(answer)
    return calls


def test_it_tells_the_account(asked):
    assert mlflow_server.account(URI) == "ada"
    assert asked[1] == (
        "http://127.0.0.1:5000/api/2.0/mlflow/users/current",
        {"timeout": mlflow_server.SECONDS, "verify": True},
    )


@pytest.mark.parametrize(("status", "account"), [(404, ""), (401, None), (503, None)])
def test_one_without_accounts_is_not_one_that_refuses(asked, status, account):
    asked[0].status_code = status
    if account is None:
        with pytest.raises(requests.HTTPError):
            mlflow_server.account(URI)
    else:
        assert mlflow_server.account(URI) == account


def test_name_and_password_come_from_where_mlflow_has_them(asked, monkeypatch, tmp_path):
    file = tmp_path / ".mlflow" / "credentials"
    file.parent.mkdir()
    file.write_text("[mlflow]\nmlflow_tracking_username = eve\nmlflow_tracking_password = x\n")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "word")
    mlflow_server.ask(URI, "runs/get")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    mlflow_server.ask(URI, "runs/get")
    file.unlink()
    mlflow_server.ask(URI, "runs/get")
    assert [options.get("auth") for _, options in asked[1:]] == [("eve", "x"), ("ada", "x"), None]
    assert asked[3][1]["headers"] == {"Authorization": "Bearer word"}


def test_certificates_are_held_to_what_mlflow_holds_them_to(asked, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    mlflow_server.ask(URI, "runs/get")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "ca.pem")
    mlflow_server.ask(URI, "runs/get")
    assert [options["verify"] for _, options in asked[1:]] == [False, "ca.pem"]


def test_a_password_in_an_address_is_not_told():
    assert mlflow_server.address("https://ada:secret@host:1/x") == "https://host:1/x"
