"""Keys and pseudonyms."""

from __future__ import annotations

import stat

import pytest

from tasks import key
from tasks.common import editing, paths
from tasks.common.errors import ParameterError, PrivacyError
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.privacy import pseudonyms
from tasks.privacy.pseudonyms import PUBLIC_KEY, Pseudonyms, key_id, load_key

OWN = bytes(range(32))


def configured(source: str, named: str) -> Params:
    editing.set_values(
        paths.PARAMS,
        {"pull.path": "images", "pull.source": source, "deid.key_id": named},
    )
    return load(Params)


def write(key: str, rights: int = 0o600) -> None:
    paths.key_file().write_text(key)
    paths.key_file().chmod(rights)


def test_pseudonyms_depend_on_key_and_identity_alone():
    one, other = Pseudonyms(b"one"), Pseudonyms(b"other")
    assert one.patient("Ada ") == Pseudonyms(b"one").patient("Ada")
    assert len({one.patient("Ada"), one.patient("Eve"), other.patient("Ada")}) == 3
    assert "Ada" not in one.patient("Ada")


def test_uids_are_valid_and_apart_from_patients():
    uid = Pseudonyms(OWN).uid("1.2.840.1")
    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert uid != Pseudonyms(OWN).uid("1.2.840.2")


def test_fingerprint_tells_keys_apart():
    assert key_id(OWN) != key_id(PUBLIC_KEY)
    assert OWN.hex() not in key_id(OWN)


def test_the_default_is_the_phantom_with_its_public_key(defaults):
    assert load_key(defaults) == PUBLIC_KEY


@pytest.mark.usefixtures("workspace")
def test_public_key_is_refused_for_anything_but_the_phantom():
    with pytest.raises(PrivacyError, match="make key"):
        load_key(configured("folder", key_id(PUBLIC_KEY)))


@pytest.mark.usefixtures("workspace")
def test_own_key_is_refused_for_the_phantom():
    with pytest.raises(PrivacyError, match=key_id(PUBLIC_KEY)):
        load_key(configured("phantom", key_id(OWN)))


@pytest.mark.usefixtures("workspace")
def test_missing_and_different_keys_are_errors():
    configuration = configured("folder", key_id(OWN))
    with pytest.raises(PrivacyError, match="make key"):
        load_key(configuration)
    write(bytes(32).hex())
    with pytest.raises(PrivacyError, match=key_id(OWN)):
        load_key(configuration)
    write(OWN.hex())
    assert load_key(configuration) == OWN


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("content", ["", "not a key", "abcd"])
def test_malformed_key_file_is_not_quoted(content):
    write(content)
    with pytest.raises(PrivacyError, match="64 hexadecimal") as caught:
        pseudonyms.read_key(paths.key_file())
    assert not content or content not in str(caught.value)


@pytest.mark.usefixtures("workspace")
def test_make_key_names_a_private_key_and_never_replaces_it(capsys):
    key.main()
    made = paths.key_file().read_text()
    assert stat.S_IMODE(paths.key_file().stat().st_mode) == 0o600
    assert load(Params).deid.key_id == key_id(bytes.fromhex(made))
    editing.set_values(paths.PARAMS, {"deid.key_id": "0" * 16})
    key.main()
    assert paths.key_file().read_text() == made
    assert load(Params).deid.key_id == key_id(bytes.fromhex(made))
    assert made not in capsys.readouterr().out


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("rights", [0o620, 0o602, 0o666])
def test_key_that_others_may_write_is_refused(rights):
    write(OWN.hex(), rights)
    with pytest.raises(PrivacyError, match=rf"rights {rights:o}\. .*chmod 600"):
        load_key(configured("folder", key_id(OWN)))


@pytest.mark.usefixtures("workspace")
def test_key_that_others_may_read_is_told(defaults):
    for rights, told in ((0o600, 0), (0o400, 0), (0o640, 1), (0o444, 1)):
        write(OWN.hex(), rights)
        configuration = configured("folder", key_id(OWN))
        assert load_key(configuration) == OWN
        assert len(pseudonyms.remarks(configuration)) == told
    assert "chmod 600 deid.key" in pseudonyms.remarks(configuration)[0]
    assert pseudonyms.remarks(defaults) == []


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    "named", [" " * 16, "", "0" * 15, "0" * 17, "x" * 16, "A" * 16, "0" * 16 + "\n"]
)
def test_name_of_no_key_is_refused(named):
    with pytest.raises(ParameterError, match="16 hexadecimal digits, as `make key` writes it"):
        configured("folder", named)
