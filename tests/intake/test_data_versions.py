"""What DVC's settings say, read without starting DVC."""

from __future__ import annotations

import pytest

from tasks.common.errors import DataError
from tasks.intake import data_versions

REMOTE = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = /mnt/share\n"


@pytest.mark.parametrize(
    ("config", "local", "known"),
    [("", None, False), (REMOTE, None, True), ("", REMOTE, True)],
)
def test_a_default_remote_is_known(workspace, config, local, known):
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text(config)
    if local is not None:
        (workspace / ".dvc/config.local").write_text(local)
    assert data_versions.has_remote() == known


def test_settings_that_cannot_be_read_are_no_missing_remote(workspace):
    (workspace / ".dvc").mkdir()
    (workspace / ".dvc/config").write_text("[core\nremote")
    with pytest.raises(DataError, match=r"required: settings in \.dvc/config"):
        data_versions.has_remote()
