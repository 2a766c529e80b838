"""MLflow's app `basic-auth`: whom the ledger names, and what an account without rights is told."""

from __future__ import annotations

import pytest
import requests
from worlds.registry import NAME, kinds, make_result, new_model
from worlds.stores import PASSWORD, mlflow_server

from tasks import promote
from tasks.common import editing, paths
from tasks.common.errors import RegistryError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import ledger, person, serving, store
from tasks.registry.gate import gate
from tasks.registry.store import connect

pytestmark = pytest.mark.slow
CONFIG = f"""[mlflow]
default_permission = READ
database_uri = sqlite:///accounts.db
admin_username = admin
admin_password = {PASSWORD}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server with accounts."""
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "accounts.ini").write_text(CONFIG)
    places = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    places += ["--artifacts-destination", str(folder / "artifacts")]
    variables = {"MLFLOW_AUTH_CONFIG_PATH": "accounts.ini", "MLFLOW_FLASK_SERVER_SECRET_KEY": "x"}
    with mlflow_server(folder, "--app-name", "basic-auth", *places, **variables) as url:
        yield url


def administer(what, **values):
    """What an administrator sets in the server's pages."""
    url, account = f"{paths.tracking_uri()}/api/{what}", ("admin", PASSWORD)
    requests.post(url, json=values, auth=account, timeout=30).raise_for_status()


@pytest.fixture
def log_in(server, workspace, monkeypatch):
    """Be somebody; nobody at first."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("HOME", str(workspace))
    store._ask.cache_clear()

    def be(name, password=PASSWORD):
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)

    return be


@pytest.fixture
def promoted(monkeypatch):
    """What `flows.promote` becomes, in this process."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["promote", *arguments])
        promote.main()

    return run


def test_the_ledger_names_the_account(log_in, promoted, quality, tmp_path, capsys):
    for name in ("ada", "grace", "eve"):
        administer("2.0/mlflow/users/create", username=name, password=PASSWORD)
    log_in("ada")
    make_result()
    for number, word in ((1, "first"), (2, "not worse")):
        new_model(number)
        assert gate(load(Params)) == word
    run_id = connect().get_model_version(NAME, "2").run_id
    assert connect().get_run(run_id).data.tags["mlflow.user"] == "ada"

    log_in("eve")  # may read, which is enough to ask the champion
    assert serving.package(NAME, "champion", tmp_path)[0] == 1
    with pytest.raises(SystemExit):
        promoted("--reason", "mine")
    told = capsys.readouterr().err
    assert "RegistryError: required: access to the MLflow store http://127.0.0.1" in told
    assert "Permission denied" in told
    assert "gives your account the right EDIT on the experiment and the registered model" in told
    assert kinds()[-1] == ("promoting", 2)

    right = {"resource_type": "registered_model", "resource_id": NAME, "permission": "EDIT"}
    administer("3.0/mlflow/users/permissions/grant", username="grace", **right)
    editing.set_values(paths.PARAMS, {"gate.approvers": ["ada", "grace"]})
    log_in("ada")
    with pytest.raises(SystemExit):
        promoted("--approve", "2", "--by", "grace")
    assert "required: --by ada, by which MLflow's server knows you" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        promoted("--approve", "2")
    assert "another than who started the training; received: ada" in capsys.readouterr().err
    log_in("grace")
    promoted("--approve", "2", "--reason", "looked at it")
    log_in("ada")
    promoted("--reason", "better at night")
    assert kinds()[-4:] == [("approved", 2), ("abandoned", 2), ("promoting", 2), ("promoted", 2)]
    approved, last = ledger.read()[-4], ledger.read()[-1]
    assert (approved.facts["by"], approved.facts["where"]) == ("grace", person.VOUCHED)
    assert (last.facts["by"], last.facts["where"]) == ("ada", person.VOUCHED)


@pytest.mark.parametrize("name", ["", "ada", "mallory"])
def test_who_is_not_let_in_is_told_what_to_set(log_in, name):
    log_in(name, "wrong")
    advice = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to those of an account"
    for ask in (connect, person.user):
        with pytest.raises(RegistryError, match=r"required: access to the MLflow store ") as told:
            ask()
        assert advice in str(told.value)
