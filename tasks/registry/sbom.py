"""Bills of materials: what a package needs where it serves, and what it was trained with, in
CycloneDX form, with licences. Equal environments give equal bytes; no path, no host stands in them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tasks.common.errors import RegistryError

Bill = Mapping[str, Any]

FOLDER, TAG = "sbom", "sbom"  # in each run; of runs, and of the versions that they made
LICENCES = f"{FOLDER}/licences.md"
OPTIONS = ("--output-reproducible", "--short-PURLs", "--no-validate", "--of", "JSON")
# What an installed package says of itself beyond these may name where it came from.
KEPT = ("bom-ref", "licenses", "name", "purl", "type", "version")
UNKNOWN = ("", "UNKNOWN")
NOT_DECLARED = "not declared"


def files(model_name: str, digest: str, requirements: Iterable[str]) -> dict[str, str]:
    """What is attached to a run: name -> content.

    Args:
        model_name: of the registered model.
        digest: of the package.
        requirements: of the package, pinned, at the versions that are here.

    Raises:
        RegistryError: the environment cannot be described.
    """
    trained = of_environment()
    serves = of_package(trained, model_name, digest, requirements)
    titles = {"Where it serves": serves, "Where it was trained": trained}
    return {
        f"{FOLDER}/package.cdx.json": json.dumps(serves, indent=1),
        f"{FOLDER}/training.cdx.json": json.dumps(trained, indent=1),
        LICENCES: "\n".join(table(title, bill) for title, bill in titles.items()),
    }


@cache
def of_environment() -> Bill:
    """The bill of all that is installed here."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *OPTIONS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RegistryError(
            "required: a bill of what is installed; received: "
            f"{(done.stderr.splitlines() or ['nothing'])[-1]}. `make setup` builds the environment"
        )
    bill: dict[str, Any] = json.loads(done.stdout)
    return bill | {"components": [_described(one) for one in bill["components"]]}


def _described(component: Mapping[str, Any]) -> dict[str, Any]:
    """A component with the licence that its metadata names in free words, where it has no other."""
    kept = {key: component[key] for key in KEPT if key in component}
    if "licenses" in kept:
        return kept
    said, *_ = metadata.metadata(component["name"]).get_all("License") or [""]
    free = said.strip().partition("\n")[0]
    return kept if free in UNKNOWN else kept | {"licenses": [{"license": {"name": free}}]}


def of_package(bill: Bill, name: str, digest: str, requirements: Iterable[str]) -> Bill:
    """Of a bill what `requirements` lead to, as the bill of a model."""
    direct = [Requirement(line) for line in requirements]
    wanted = reached(direct)
    parts = [one for one in bill["components"] if canonicalize_name(one["name"]) in wanted]
    refs = {canonicalize_name(one["name"]): one["bom-ref"] for one in parts}
    model = {"bom-ref": "model", "name": name, "version": digest, "type": "machine-learning-model"}
    root = {"ref": "model", "dependsOn": sorted(refs[canonicalize_name(r.name)] for r in direct)}
    within = [
        one | {"dependsOn": [ref for ref in one.get("dependsOn", []) if ref in refs.values()]}
        for one in bill["dependencies"]
        if one["ref"] in refs.values()
    ]
    about = {"metadata": bill["metadata"] | {"component": model}}
    return {**bill, **about, "components": parts, "dependencies": [root, *within]}


def reached(requirements: Iterable[Requirement]) -> set[str]:
    """The normalised names of installed packages that these lead to on this kind of machine."""
    waiting, done = list(requirements), set[tuple[str, frozenset[str]]]()
    while waiting:
        one = waiting.pop()
        asked = (canonicalize_name(one.name), frozenset(one.extras))
        if asked not in done:
            done.add(asked)
            needed = map(Requirement, metadata.requires(one.name) or [])
            waiting += [other for other in needed if _applies(other, one.extras)]
    return {name for name, _ in done}


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def table(title: str, bill: Bill) -> str:
    """A bill's packages and licences in Markdown."""
    head = (f"# {title}", "", "| package | version | licence |", "|---|---|---|")
    rows = [f"| {one['name']} | {one['version']} | {licence(one)} |" for one in bill["components"]]
    return "\n".join([*head, *rows, ""])


def licence(component: Mapping[str, Any]) -> str:
    """What a component declares."""
    declared = [
        entry.get("expression") or entry["license"].get("id") or entry["license"]["name"]
        for entry in component.get("licenses", [])
    ]
    short = [name.removeprefix("License :: ").removeprefix("OSI Approved :: ") for name in declared]
    return ", ".join(short) or NOT_DECLARED
