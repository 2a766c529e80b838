import base64
import gzip
import io
import json
import zipfile
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from worlds.registry import content_of

from tasks.common import editing, paths
from tasks.common.errors import PrivacyError
from tasks.common.manifest import read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort
from tasks.privacy import identifiers
from tasks.privacy.pseudonyms import Pseudonyms, load_key
from tasks.publish import publish
from tasks.registry import live_runs, scan

PATIENT = "Quillfeather^Anselmina"
NAME = b"dr. quillfeather"


@pytest.fixture
def known(result):
    """A result whose source knows one patient."""
    settings = load(Params)
    keyed = identifiers.collect([{PATIENT, "12-34-56"}], Pseudonyms(load_key(settings)))
    cohort.write_marks(keyed, settings.deid.key_id)
    return settings


def picture(**chunks: bytes) -> bytes:
    """A PNG with further chunks before its end."""
    content = cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()
    more = b""
    for kind, body in chunks.items():
        checksum = zlib.crc32(kind.encode() + body).to_bytes(4, "big")
        more += len(body).to_bytes(4, "big") + kind.encode() + body + checksum
    return content[:-12] + more + content[-12:]


def archive(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inner.json", content)
    return stream.getvalue()


def table(text: str) -> bytes:
    stream = io.BytesIO()
    pd.DataFrame({"number": [1], "text": [text]}).to_parquet(stream)
    return stream.getvalue()


NOISE = np.random.default_rng(3).bytes(50_000)
IN_PAGE = base64.b64encode(picture(tEXt=b"Author\0" + NAME))
PLACES = {
    "text": b"seen by " + NAME,
    "other case": b"QUILLFEATHER",
    "json": json.dumps({"a": [{"by": "Dr. Quillfeather"}]}).encode(),
    "json key": json.dumps({"quillfeather": 1}).encode(),
    "escaped": b'{"by": "\\u0071uillfeather"}',
    "number in parts": b"see 12-34-56",
    "zip": archive(NAME),
    "zip in gzip": gzip.compress(archive(NAME)),
    "parquet": table("by quillfeather"),
    "png text": picture(tEXt=b"Author\0" + NAME),
    "png compressed text": picture(zTXt=b"Author\0\0" + zlib.compress(NAME)),
    "png in a page": b'<img src="data:image/png;base64,' + IN_PAGE + b'">',
    "binary": NOISE + b"\0quillfeather\0" + NOISE,
    "only begins like a zip": b"PK\x03\x04" + NAME,
}


@pytest.mark.parametrize("content", PLACES.values(), ids=PLACES)
def test_an_identifier_in_a_file_stops_before_anything_is_recorded(known, content):
    scanner = scan.Scan(known, read_manifest())
    scanner.check({"a tag": {"n": 1}}, [paths.METRICS])
    paths.REPORT.write_bytes(content)
    with pytest.raises(PrivacyError, match=r"nothing was recorded.*\n  reports/report\.html\n"):
        scanner.check({}, [paths.METRICS, paths.REPORT])


@pytest.mark.parametrize(
    "content", [NOISE, b"feather", b"123456", picture(), b"0.123456", archive(b"{}")]
)
def test_other_files_pass(known, content):
    paths.REPORT.write_bytes(content)
    scan.Scan(known, read_manifest()).check({"x": "quill feather"}, [paths.REPORT])


def test_publish_names_the_artifact_and_not_the_patient(known, store):
    page = f"<p>{'x' * 40} the patient Quillfeather</p>"
    paths.REPORT.write_text(page, encoding="utf-8")
    (paths.EXPLAIN / "quillfeather.png").write_bytes(b"a picture")
    with pytest.raises(PrivacyError) as caught:
        publish(known)
    said = str(caught.value)
    assert "reports/report.html" in said
    assert "the name of a file in reports/explain" in said
    assert "uillfeather" not in said.lower()
    (run,) = live_runs.search(store, {})
    assert run.info.status == "FAILED"
    assert not run.data.params
    assert not run.data.metrics
    assert not store.client.list_artifacts(run.info.run_id)
    assert b"uillfeather" not in content_of(paths.store())


def test_a_parameter_is_searched_and_the_whereabouts_are_not_recorded(known, store):
    editing.set_values(paths.PARAMS, {"pull.path": "/data/Quillfeather"})
    found = store.client.get_run(publish(load(Params)))
    assert found.data.params["pull.path"] == "(not recorded)"
    assert found.data.params["pull.labels.table"] == "None"
    assert b"/data/" not in content_of(paths.store())
    editing.set_values(paths.PARAMS, {"report.title": "Anselmina, day 2"})
    with pytest.raises(PrivacyError, match=r"a parameter\n  params\.yaml"):
        scan_params(load(Params))


def scan_params(settings):
    from tasks.registry import record

    record.write(None, "", settings)


def test_without_what_is_looked_for_nothing_is_recorded(known):
    paths.IDENTIFIERS.unlink()
    with pytest.raises(PrivacyError, match=r"tasks\.pull"):
        publish(known)
