"""Ids of files: keyed, and the digests that batches of before keep, each found by the other."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from worlds.dicom_files import make_dicom
from worlds.pull import SOURCE, broken, cohort, file_id, image, run, tree, unkey

from tasks.common import digests, manifest, paths
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort as rows
from tasks.intake.exclusion import exclude, include
from tasks.intake.file_ids import Files, file_of
from tasks.privacy.pseudonyms import Pseudonyms

DIGEST = hashlib.sha256(b"a file").hexdigest()
ONE = Pseudonyms(b"one")


def test_an_id_needs_the_key():
    """HMAC-SHA256 of the domain and the digest, each in text."""
    assert ONE.image(DIGEST) == Pseudonyms(b"one").image(DIGEST)
    assert ONE.image(DIGEST) != Pseudonyms(b"other").image(DIGEST)
    assert len(bytes.fromhex(ONE.image(DIGEST))) == 32
    assert ONE.image(DIGEST) != DIGEST
    assert ONE.image(DIGEST)[:16] not in (ONE.patient(DIGEST), ONE.source_name(DIGEST))


def test_files_are_found_by_either_id():
    keyed, other = ONE.image(DIGEST), hashlib.sha256(b"another").hexdigest()
    for known in (DIGEST, keyed):
        files = Files({known}, ONE)
        assert DIGEST in files
        assert keyed in files
        assert not [name for name in (other, ONE.image(other), "", "Smith") if name in files]


@pytest.fixture
def of_before(source):
    """Four images, three frames of a film, and a file that was refused, in a batch of before."""
    frames = np.arange(3 * 64, dtype=np.uint16).reshape(3, 8, 8)
    (SOURCE / "sick/film.dcm").write_bytes(make_dicom(frames, Modality="CT"))
    broken("sick/broken.png")
    run()
    unkey()
    return {file: digests.of_file(file) for file in SOURCE.rglob("*.*")}


def test_a_batch_of_before_keeps_its_ids(of_before):
    before, files = cohort(), tree()
    assert {file_of(image_id) for image_id in before["image_id"]} == set(of_before.values())
    summary = run()
    assert (summary.new, summary.known, summary.vanished, summary.changed) == (0, 6, 0, 0)
    assert tree() == files
    image("well/later.png", 70)
    assert run().new == 1
    pd.testing.assert_frame_equal(cohort().iloc[:8], before)
    assert cohort()["image_id"].iloc[8] == file_id(SOURCE / "well/later.png")


def test_another_label_or_content_of_a_file_of_before_is_told(of_before):
    (SOURCE / "sick/Smith_0.png").rename(SOURCE / "well/Smith_0.png")
    image("sick/Smith_2.png", 99)
    summary = run()
    assert (summary.relabelled, summary.changed, summary.new) == (1, 1, 0)


def test_a_refused_file_of_before_is_tried_again_and_fixed(of_before):
    assert run().fixed == 0
    image("sick/broken.png", 70)
    summary = run()
    assert (summary.fixed, summary.new, summary.vanished) == (1, 1, 0)
    assert file_id(SOURCE / "sick/broken.png") in set(cohort()["image_id"])
    assert of_before[SOURCE / "sick/broken.png"] not in set(cohort()["image_id"])


def test_withdrawn_files_of_before_stay_away(of_before):
    table, key = manifest.read(paths.COHORT, manifest.COHORT), load(Params).deid.key_id
    gone = of_before[SOURCE / "sick/Smith_0.png"]
    rows.write_withdrawn({"": [gone]}, {}, key)
    rows.write(table[table["image_id"] != gone], key)
    summary = run()
    assert (summary.new, summary.withdrawn) == (0, 1)


def test_excluded_images_of_before_come_back_under_their_id(of_before):
    first = of_before[SOURCE / "sick/Smith_0.png"]
    assert exclude(load(Params), [first[:12]]) == 1
    assert run().new == 0
    assert include(load(Params), [first]) == 1
    assert first in set(cohort()["image_id"])
    assert run().new == 0
