"""Withdraw a patient: `python -m tasks.withdraw PATIENT`.

The images go from `data/raw` and `data/external/raw`, from DVC's cache and remote, and from all
that was made of them in this workspace; later pulls leave the patient and these files at the
source. What MLflow holds is named and left to a person, since models in use were trained on it.
Versions of the data that held the patient are gone for good: `dvc checkout` of one fails, and does
not bring the images back.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tasks.common import paths, pipeline
from tasks.common.errors import DataError, MedloopError, command
from tasks.common.manifest import GONE, WITHDRAWN
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.common.paths import OWN, PLACES, Place
from tasks.intake import cohort, data_versions, purge
from tasks.intake.file_ids import Files, file_of
from tasks.intake.joined_groups import joined_by
from tasks.privacy.pseudonyms import Pseudonyms, load_key


@dataclass(frozen=True)
class Found:
    """What a place holds, or has held, of a patient.

    Attributes:
        place: which.
        table: its cohort.
        mine: which rows of the cohort go.
        record: of withdrawals there, with the patient; empty where nothing is or was there.
        images: ids of all files that go or are gone.
    """

    place: Place
    table: pd.DataFrame
    mine: pd.Series[bool]
    record: dict[str, list[str]]
    images: set[str]


def withdraw(params: Params, patient: str) -> str:
    """Remove a patient for good; gives what a person should know and do.

    `patient` is the id as the source has it, its pseudonym, or the `image_id` of a file. Killed
    anywhere and run again, it ends the same.

    Raises:
        DataError: nobody of this id is known, the manifest is missing, or DVC or the disk does not
            allow it.
        PrivacyError: the key is missing.
    """
    key, remote = params.deid.key_id, data_versions.has_remote()
    pseudonyms = Pseudonyms(load_key(params))
    for place in PLACES:
        data_versions.restore(remote, place)
    everywhere = [_find(place, key, pseudonyms, patient) for place in PLACES]
    found = [each for each in everywhere if each.images]
    if not found:
        raise DataError(
            "required: a patient of data/raw, by the id as the source has it, or the pseudonym in "
            "the column patient_id, or one file by its image_id; received: none that is known"
        )
    for each in found:
        _remove(each, key)
    images = set[str]().union(*(each.images for each in found))
    under_any_id = Files(images, pseudonyms)
    purged = purge.purge(under_any_id, remote)
    _remove_derived()
    places = [each.place for each in found]
    told = [*_recorded(params, under_any_id), *_push(remote, places)]
    return "\n".join(_tell(images, places, purged, remote, told))


def _find(place: Place, key: str, pseudonyms: Pseudonyms, patient: str) -> Found:
    pseudonym = pseudonyms.patient(patient)
    table, record = cohort.read(key, place), cohort.read_withdrawn(key, place)
    there = ~table["reason"].isin(GONE)
    theirs = there & table["patient_id"].isin([pseudonym, patient])
    files, given = table["image_id"].map(file_of), Files({file_of(patient)}, pseudonyms)
    mine = theirs | (there & files.map(given.__contains__))
    images = {file for who in (pseudonym, patient) for file in record.get(who, [])}
    images |= {file for files in record.values() for file in files if file in given}
    images |= set(files[mine])
    for image_id, whose in table.loc[mine, ["image_id", "patient_id"]].to_numpy().tolist():
        known = record.setdefault(whose if theirs.any() else "", [])
        known += {file_of(image_id)} - set(known)
    return Found(place, table, mine, record, images)


def _remove(found: Found, key: str) -> None:
    """Remember first, so that no pull after a kill here brings it back. What is external takes part
    in no split, so nobody is joined by it.
    """
    place, going, staying = found.place, found.table[found.mine], found.table[~found.mine]
    joined = cohort.read_joined() | joined_by(going) if place == OWN else {}
    cohort.write_withdrawn(found.record, joined, key, place)
    cohort.write(cohort.joined(staying, cohort.stand_ins(going, WITHDRAWN)), key, place)
    cohort.sweep(staying, place)
    data_versions.save(place)


def _push(remote: bool, places: Sequence[Place]) -> list[str]:
    try:
        for place in places if remote else []:
            data_versions.push(place)
    except DataError as error:  # everything here is done
        return [f"the version without the patient is not at the remote: {error}"]
    return []


def _remove_derived() -> None:
    """Remove all outs, what is written beside them, and what the state folder holds of images: made
    anew when asked for.
    """
    outs = [out for stage in pipeline.stages() for out in pipeline.outs(stage)]
    beside = (
        *(paths.FINDINGS, paths.FINDINGS_PAGE, paths.DATA_DOCS, paths.EXPLAINED),
        *(paths.VERDICT, paths.MODEL_CARD),
        *(paths.STARTED_FROM.folder, paths.STARTED_FROM.version),
    )
    for path in (*outs, *beside, *paths.showing_patients()):
        _delete(path)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _recorded(params: Params, images: Container[str]) -> list[str]:
    """What MLflow holds of the images; the files are gone whether it answers or not."""
    from tasks.registry import exposure

    try:
        return exposure.describe(params, images)
    except MedloopError as error:
        return [f"MLflow was not asked: {error}. Run the same again to ask it"]


def _tell(
    images: Collection[str],
    places: Sequence[Place],
    purged: purge.Purged,
    remote: bool,
    recorded: list[str],
) -> Iterator[str]:
    folders = " and ".join(str(place.folder) for place in places)
    yield f"Withdrawn: {len(images):,} files, from {folders} and all that was made of them here"
    both = remote and not purged.remote_failure
    where = "the cache and the default remote" if both else "the cache"
    yield f"  {purged.objects:,} objects deleted from {where} of DVC"
    if purged.remote_failure:
        yield (
            f"  the remote could not be purged ({purged.remote_failure}): fix its access and run "
            "the same again. Where its store keeps versions of objects, delete these there"
        )
    yield from (f"  {line}" for line in recorded)
    yield "  in the cohort, pseudonym, label and batch stay: the split of the others hangs on them"
    yield "Left to do"
    yield "  delete the patient at the source too: pull will not take these files, but sees them"
    versions = " and ".join(str(place.version) for place in places)
    yield f"  commit {versions}; other clones and backups hold what they held"
    yield "  `dvc repro` makes the results anew, without the patient"


@command
def main() -> None:
    """Withdraw a patient, and say what is left to do."""
    parser = argparse.ArgumentParser(prog="python -m tasks.withdraw", description=__doc__)
    parser.add_argument(
        "patient", help="remove for good: an id as the source has it, a pseudonym, or an image_id"
    )
    patient = parser.parse_args().patient
    params = load(Params)
    with cohort.only_writer():
        for place in PLACES:
            cohort.guard(params.pull, place)
        print(withdraw(params, patient))


if __name__ == "__main__":
    main()
