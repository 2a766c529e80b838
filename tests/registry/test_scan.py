import base64
import gzip
import io
import json
import re
import zipfile
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from worlds.project import ROOT
from worlds.registry import content_of

from tasks.common import documents, editing, paths
from tasks.common.errors import PrivacyError
from tasks.common.manifest import read_manifest
from tasks.common.params.loading import load
from tasks.common.params.whole import Params
from tasks.intake import cohort
from tasks.pictures import page
from tasks.privacy import identifiers
from tasks.privacy.pseudonyms import Pseudonyms, load_key
from tasks.publish import publish
from tasks.registry import live_runs, record, scan

PATIENT = "Quillfeather^Anselmina"
NAME = b"dr. quillfeather"


@pytest.fixture
def known(result):
    """A result whose source knows one patient."""
    return know({PATIENT, "12-34-56"})


def know(*identities):
    """Let the source call its patients so; the parameters."""
    settings = load(Params)
    keyed = identifiers.collect(identities, Pseudonyms(load_key(settings)))
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
    editing.set_values(
        paths.PARAMS,
        {
            "pull.path": "/data/Quillfeather",
            "pull.columns.label": "Quillfeather",
            "evaluate.external": {"source": "folder", "path": "/data/Quillfeather"},
        },
    )
    cohort.write_marks(set(), known.deid.key_id, paths.OTHERS)
    found = store.client.get_run(publish(load(Params)))
    assert found.data.params["pull.path"] == "(not recorded)"
    assert found.data.params["pull.columns.label"] == "(not recorded)"
    assert found.data.params["evaluate.external.path"] == "(not recorded)"
    assert found.data.params["pull.labels.table"] == "None"
    assert b"/data/" not in content_of(paths.store())
    editing.set_values(paths.PARAMS, {"report.title": "Anselmina, day 2"})
    with pytest.raises(PrivacyError, match=r"a parameter\n  params\.yaml"):
        scan_params(load(Params))


def test_the_owners_words_are_searched_by_heading_whatever_the_page_may_cite(known):
    settings = know({"Tejani^Ann"}, {"Elmswick Infirmary"})
    paths.OWNER.parent.mkdir()
    answers = "## Aim\nNone.\n## Annotators\nDr. Tejani\n## Places and dates\nElmswick, 2019\n"
    paths.OWNER.write_text(f"<!-- Elmswick -->\n{answers}", encoding="utf-8")
    with pytest.raises(PrivacyError) as caught:
        scan_params(settings)
    places = re.findall(r"^  (.*)$", str(caught.value), re.MULTILINE)
    assert places == ["docs/owner.md under Places and dates", "docs/owner.md under Annotators"]
    assert "ejani" not in str(caught.value)


def test_the_page_may_cite_the_authors_of_checklists(known):
    settings = know({"Tejani^Ann"})
    paths.REPORT.write_text("<p>CLAIM: Tejani et al.</p>", encoding="utf-8")
    scan.Scan(settings, read_manifest()).check({}, [paths.REPORT])
    paths.REPORT.write_text("<p>CLAIM: Ann Tejani</p>", encoding="utf-8")
    with pytest.raises(PrivacyError):
        scan.Scan(settings, read_manifest()).check({}, [paths.REPORT])


def test_names_of_external_patients_are_looked_for_too(known, store):
    keyed = identifiers.collect([{"Thistlewood^Mae"}], Pseudonyms(load_key(known)))
    cohort.write_marks(keyed, known.deid.key_id, paths.OTHERS)
    editing.set_values(
        paths.PARAMS,
        {"report.title": "Thistlewood", "evaluate.external": {"source": "folder", "path": "x"}},
    )
    with pytest.raises(PrivacyError, match="a parameter"):
        scan_params(load(Params))
    paths.OTHERS.identifiers.unlink()
    with pytest.raises(PrivacyError, match=r"data/external/raw/identifiers\.parquet"):
        scan_params(load(Params))


def scan_params(settings):
    record.write(None, "", settings)


def test_without_what_is_looked_for_nothing_is_recorded(known):
    paths.IDENTIFIERS.unlink()
    with pytest.raises(PrivacyError, match=r"tasks\.pull"):
        publish(known)


@pytest.fixture
def citing(result, tmp_path, monkeypatch):
    """A result whose source knows a Wilson, and whose page cites another."""
    cites = "<p>{# nobody: Davis #}By Wilson's interval, in {{ ward }}.</p>"
    (tmp_path / "citing.html.j2").write_text(cites, encoding="utf-8")
    monkeypatch.setattr(page, "TEMPLATES", tmp_path)
    render("north")
    return know({"Wilson^Mary"}, {"Davis^Ann"})


def render(ward):
    paths.REPORT.write_text(page.render("citing.html.j2", {"ward": ward}), encoding="utf-8")


def test_a_page_may_cite_an_author_who_is_called_like_a_patient(citing):
    scan.Scan(citing, read_manifest()).check({}, [paths.REPORT, paths.METRICS])


def test_elsewhere_a_patient_is_found_who_is_called_like_an_author(citing):
    scanner, drift = scan.Scan(citing, read_manifest()), {"site": {"before": "Wilson: 40.0%"}}
    documents.write_json(paths.DRIFT, {"by_field": drift})
    paths.CONFUSION.write_text("actual,predicted\nwilson,nodule\n", encoding="utf-8")
    render("Dr. Wilson's ward")
    values = {"a parameter": {"report.title": "Wilson"}, "a tag": {}}
    with pytest.raises(PrivacyError) as caught:
        scanner.check(values, [paths.DRIFT, paths.CONFUSION, paths.METRICS, paths.REPORT])
    places = re.findall(r"^  (.*)$", str(caught.value), re.MULTILINE)
    assert places == ["a parameter", str(paths.DRIFT), str(paths.CONFUSION)]


@pytest.mark.parametrize("ward", ["Davis", "Mary Wilson"])
def test_on_the_page_nobody_passes_but_whom_the_template_cites(citing, ward):
    """What a comment says does not stand on the page, and a name in full is a patient's."""
    render(ward)
    with pytest.raises(PrivacyError, match=r"\n  reports/report\.html\n"):
        scan.Scan(citing, read_manifest()).check({}, [paths.REPORT])


def test_a_slice_that_is_called_like_a_patient_stops_publish(citing, store):
    metrics = {"test": {"slices": {"slice_by": {"Dr. Wilson": {"images": 24}}}}}
    documents.write_json(paths.METRICS, metrics)
    with pytest.raises(PrivacyError, match=r"the name of a metric\n  reports/metrics\.json\n"):
        publish(citing)


def test_what_the_page_shows_is_searched_as_it_was_before(workspace):
    """So whoever the template cites, a patient called so is found where the value comes from."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    searched = {str(path) for path in record.recorded() if path != paths.REPORT}
    deps = [dep for dep in stages["report"]["deps"] if not dep.startswith(("tasks/", "code/"))]
    source = (ROOT / "tasks/report.py").read_text("utf-8")
    read = {str(getattr(paths, name)) for name in re.findall(r"\bpaths\.([A-Z_]+)", source)}
    by_heading = {str(paths.OWNER)}
    assert {*deps, *read} - {str(paths.REPORT)} - by_heading <= searched
    assert set(deps) - by_heading <= set(stages["publish"]["deps"])
    blanked = {".".join(key) for key in record.WHEREABOUTS}
    shown = stages["report"]["params"]
    assert {param.partition(".")[0] for param in shown} <= set(stages["publish"]["params"])
    assert not any(f"{name}.".startswith(f"{param}.") for name in blanked for param in shown)
