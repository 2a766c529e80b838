"""What serves asks here: the package behind an alias, if the ledger lets it serve."""

from __future__ import annotations

from pathlib import Path

from tasks.common.errors import RegistryError
from tasks.registry import ledger, model_versions, permission
from tasks.registry.failures import in_one_line
from tasks.registry.model_versions import CHAMPION, Package
from tasks.registry.store import connect


@in_one_line()
def package(name: str, folder: Path, alias: str = CHAMPION) -> Package:
    """Copy the packaged model behind an alias into `folder`.

    Raises:
        RegistryError: no version has the alias, or the one that has it may not serve: it did not
            pass, holds another network than was judged, or was too small to judge and nobody has
            promoted it.
    """
    client = connect()
    version = model_versions.of_alias(client, name, alias)
    if version is None:
        raise RegistryError(
            f"required: a version of {name!r} with the alias {alias}; received: none. "
            "`python -m flows.promote VERSION --reason WHY` gives it to one that passed"
        )
    found = model_versions.unpack(version, folder, "Promote another version")
    identity = (name, int(version.version), found.digest)
    if why := permission.refusal(ledger.read(), identity, "", ()):
        raise RegistryError(
            f"required: a version that may serve behind the alias {alias}; received: version "
            f"{version.version}, of which the ledger says: {why}. `python -m tasks.watch` gives "
            "the alias back"
        )
    return found
