"""Whether a version may serve: the one place that says so, from the ledger alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tasks.common.errors import RegistryError
from tasks.registry import ledger
from tasks.registry.ledger import Entry, Identity


def refusal(
    entries: Sequence[Entry], identity: Identity, reason: str, approvers: Collection[str]
) -> str:
    """Why a version may not become champion; empty if it may.

    Args:
        entries: the ledger's.
        identity: of the version, with the digest of what it really holds.
        reason: of the person who promotes: what is too small to judge needs one.
        approvers: names of whom one must have approved; none: nobody need.
    """
    said = ledger.verdict(entries, *identity)
    before = has_served(entries, identity)
    if said is None:
        return "the ledger says nothing about it"
    if said.kind == "failed":
        return f"it failed: {'; '.join(said.facts['reasons'])}"
    if said.kind not in ledger.PASSED and not reason and not before:
        told = "; ".join(said.facts["reasons"])
        return f"it was too small to judge, so `flows.promote` needs a --reason: {told}"
    if approvers and not before and approval(entries, identity) is None:
        return f"nobody of gate.approvers ({', '.join(approvers)}) has approved it since"
    return ""


def require(identity: Identity, reason: str, approvers: Collection[str]) -> None:
    """Let a version serve that may.

    Raises:
        RegistryError: it may not, see `refusal`.
    """
    if why := refusal(ledger.read(), identity, reason, approvers):
        raise RegistryError(
            f"required: a version that passed the gate; received: version {identity[1]}, of which "
            f"the ledger says: {why}. Only a version that passed becomes champion"
        )


def has_served(entries: Sequence[Entry], identity: Identity) -> bool:
    """Whether a version has been champion."""
    return any(e.identity == identity and e.kind in ledger.CROWNED for e in entries)


def approval(entries: Sequence[Entry], identity: Identity) -> Entry | None:
    """The newest approval of a version that is younger than its newest verdict."""
    for entry in reversed([e for e in entries if e.identity == identity]):
        if entry.kind == ledger.APPROVED:
            return entry
        if entry.kind in ledger.VERDICTS:
            return None
    return None
