"""A public collection of The Cancer Imaging Archive, by its name there.

TCIA's images move from the interface of its NBIA server to Imaging Data Commons, so a collection is
looked for in the index of that first, and at the server only if it is not there or if
`MEDLOOP_NBIA_URL` names one. Either way a file is
`downloads/tcia/<collection>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm`: a series that came one way
is not fetched again the other way, and its images keep their names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tasks.common.paths import StateEntry
from tasks.sources import Listing, idc, nbia, series_folder, transfer
from tasks.sources.collection import folder_name, list_series, narrow

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tasks.common.params.pull import Pull

ARCHIVE = "The Cancer Imaging Archive"
CITATION = (
    "Clark et al., The Cancer Imaging Archive (TCIA), Journal of Digital Imaging 26, 1045-1057 "
    "(2013), doi:10.1007/s10278-013-9622-7"
)


def listing(pull: Pull, kind: str) -> Listing:
    """Fetch what is missing of the series that `pull.collection` and `pull.labels` select, and list
    their images.

    Raises:
        SourceError: the extra `idc` is missing, nothing fits, the disk is too small, or not every
            series came.
    """
    root = StateEntry.DOWNLOADS.path / "tcia" / folder_name(str(pull.collection.name))
    if os.environ.get(nbia.URL_VARIABLE):
        return _from_nbia(pull, kind, root)
    indexed = idc.of_tcia(str(pull.collection.name))
    return _from_nbia(pull, kind, root) if indexed.empty else _from_idc(pull, kind, root, indexed)


def _from_idc(pull: Pull, kind: str, root: Path, indexed: pd.DataFrame) -> Listing:
    selected = narrow(idc.select(indexed, pull), pull, kind)
    root.mkdir(parents=True, exist_ok=True)
    missing = [one for one in selected if not series_folder.is_whole(root / one.uid, one.images)]
    idc.download(missing, root, series_folder.name_by_instance)
    archive, cite = f"{ARCHIVE} by way of Imaging Data Commons", idc.citations(selected)
    return list_series(root, selected, pull, kind, archive, [CITATION, *cite])


def _from_nbia(pull: Pull, kind: str, root: Path) -> Listing:
    url, line = transfer.base_url(nbia.URL_VARIABLE, nbia.URL), transfer.Line()
    selected = narrow(nbia.find(line, url, pull), pull, kind)
    root.mkdir(parents=True, exist_ok=True)
    nbia.download(line, url, selected, root)
    return list_series(root, selected, pull, kind, f"{ARCHIVE} by way of NBIA", [CITATION])
