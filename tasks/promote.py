"""Promote a version that passed the gate, and ask or add to what the ledger says of versions.

python -m flows.promote [VERSION] [--reason WHY] [--by NAME]      default: the challenger
python -m flows.promote --rollback [--reason WHY]                 to the champion before
python -m flows.promote --approve VERSION --by NAME               for gate.approvers
python -m flows.promote --reference VERSION --reason WHY          what bounds the slide
python -m flows.promote --history                                 which version served when
python -m flows.promote --verify                                  whether the ledger is whole
"""

from __future__ import annotations

import argparse
from collections.abc import Collection

from tasks.common.errors import command
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.registry import account, decisions, person, promotion
from tasks.registry.promotion import Said


@command
def main() -> None:
    """Do what is asked; nothing needs a server of Prefect's."""
    arguments = _arguments()
    settings = load(Params)
    name = settings.publish.model_name
    if arguments.history:
        print(account.history(name))
    elif arguments.verify:
        print(account.verify(name))
    else:
        _decide(arguments, name, settings.gate.approvers)


def _decide(arguments: argparse.Namespace, name: str, approvers: Collection[str]) -> None:
    by, where = person.named(arguments.by)
    said = Said(by, arguments.reason, where)
    if arguments.approve is not None:
        decisions.approve(name, arguments.approve, said, approvers)
    elif arguments.reference is not None:
        decisions.refer(name, arguments.reference, said)
    elif arguments.rollback:
        promotion.roll_back(name, said, approvers)
    else:
        promotion.promote(name, arguments.version, said, approvers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flows.promote",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("version", nargs="?", type=int, help="default: the challenger")
    what.add_argument("--rollback", action="store_true")
    what.add_argument("--history", action="store_true")
    what.add_argument("--verify", action="store_true")
    what.add_argument("--approve", type=int, metavar="VERSION")
    what.add_argument("--reference", type=int, metavar="VERSION")
    parser.add_argument("--reason", default="", help="why, for the ledger")
    parser.add_argument("--by", default="", help="default: your account at MLflow, or here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
