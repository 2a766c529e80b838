"""The section `report`."""

from __future__ import annotations

from tasks.common.params.section import Section


class Report(Section):
    """The self-contained page."""

    title: str
