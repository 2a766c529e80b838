"""The synthetic archive: real DICOM, the same for the same seed, planted with invented names."""

from __future__ import annotations

import hashlib
import io

import cv2
import numpy as np
import pytest
from pydicom import dcmread
from worlds import sources

from tasks.common.params.pull import Pull
from tasks.privacy.pseudonyms import PUBLIC_KEY, Pseudonyms
from tasks.sources import phantom, phantom_anatomy


def pull_of(patients: int = 10, seed: int = 1) -> Pull:
    return sources.pull_of("phantom", phantom={"patients": patients, "seed": seed})


@pytest.fixture(scope="module")
def slices() -> list[phantom.Slice]:
    return [slice_ for index in range(24) for slice_ in phantom.draw(5, index)]


def test_a_patient_is_the_same_whatever_the_number_of_patients(slices):
    again = [slice_.content for slice_ in phantom.draw(5, 3)]
    other = [slice_.content for slice_ in phantom.draw(6, 3)]
    assert again == [s.content for s in slices if s.row["patient_id"].endswith("00003")]
    assert set(again).isdisjoint(other)


def test_slices_are_twelve_bit_dicom_with_a_window(slices):
    for file in (dcmread(io.BytesIO(slice_.content)) for slice_ in slices):
        assert file.pixel_array.shape == (256, 256)
        assert file.pixel_array.max() < 2**12 == 2**file.BitsStored
        hounsfield = file.pixel_array * file.RescaleSlope + file.RescaleIntercept
        assert -1100 < np.median(hounsfield[:10]) < -900  # air around the body
        assert file.WindowWidth > 1
        assert "SYNTHETIC" in file.SeriesDescription


def test_a_patient_has_three_to_five_slices_of_one_study(slices):
    studies: dict[str, list[str]] = {}
    for slice_ in slices:
        file = dcmread(io.BytesIO(slice_.content), stop_before_pixels=True)
        studies.setdefault(file.StudyInstanceUID, []).append(file.SOPInstanceUID)
    assert len(studies) == 24
    assert {len(instances) for instances in studies.values()} == {3, 4, 5}
    assert len(set().union(*studies.values())) == len(slices)


def test_labels_are_per_slice_and_lesions_as_wide_as_promised(slices):
    labels = {slice_.row["label"] for slice_ in slices}
    assert labels == set(phantom.LABELS)
    for slice_ in slices:
        assert (slice_.lesion is not None) == (slice_.row["label"] == "nodule")
        if slice_.lesion is not None:
            _, _, width, height = cv2.boundingRect(slice_.lesion.astype(np.uint8))
            assert 18 <= min(width, height) <= max(width, height) <= 72  # lobes, and the lung's rim
    diseased = {s.row["patient_id"] for s in slices if s.lesion is not None}
    mixed = diseased & {s.row["patient_id"] for s in slices if s.lesion is None}
    assert 6 <= len(diseased) <= 18
    assert mixed


def test_a_lesion_is_denser_than_the_lung_around_it(slices):
    for slice_ in slices:
        if slice_.lesion is not None:
            file = dcmread(io.BytesIO(slice_.content))
            hounsfield = file.pixel_array * file.RescaleSlope + file.RescaleIntercept
            low = phantom_anatomy.NODULE_CONTRAST_HU[0] / 2 + phantom_anatomy.LUNG_HU
            assert np.median(hounsfield[slice_.lesion]) > low


def test_two_scanners_differ_in_noise(slices):
    noise: dict[str, list[float]] = {}
    for slice_ in slices:
        file = dcmread(io.BytesIO(slice_.content))
        hounsfield = file.pixel_array * file.RescaleSlope + file.RescaleIntercept
        heart = hounsfield[100:116, 142:158]
        noise.setdefault(file.ManufacturerModelName, []).append(float(np.std(heart)))
    one, two = (np.median(noise[scanner.model]) for scanner in phantom.SCANNERS)
    assert two > 1.3 * one


def test_every_planted_name_is_in_the_archive(slices):
    everything = b"".join(slice_.content + slice_.name.encode() for slice_ in slices)
    missing = [name for name in phantom.PLANTED_NAMES if name.encode() not in everything]
    assert not missing


@pytest.mark.usefixtures("workspace")
def test_archive_is_written_once_and_holds_masks_by_image_id():
    listing = phantom.listing(pull_of(), "binary")
    archive = phantom.write_archive(10, 1)
    before = {path: path.stat().st_mtime_ns for path in archive.rglob("*")}
    images = [item.read() for item in phantom.listing(pull_of(), "binary").items]
    assert {path: path.stat().st_mtime_ns for path in archive.rglob("*")} == before
    lesions = {
        Pseudonyms(PUBLIC_KEY).image(hashlib.sha256(content).hexdigest())
        for content, item in zip(images, listing.items, strict=True)
        if item.label == "nodule"
    }
    assert {path.stem for path in (archive / "masks").iterdir()} == lesions
    assert not [path for path in archive.parent.iterdir() if path != archive]


@pytest.mark.usefixtures("workspace")
def test_other_parameters_make_another_archive():
    folders = {phantom.write_archive(10, 1), phantom.write_archive(10, 2)}
    assert len(folders) == 2


@pytest.mark.usefixtures("workspace")
def test_a_half_written_archive_is_not_used(monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(phantom.csv, "DictWriter", killed)
        with pytest.raises(KeyboardInterrupt):
            phantom.write_archive(10, 1)
    assert (phantom.write_archive(10, 1) / "labels.csv").is_file()
