"""The owner's text: what counts as an answer, and what is refused."""

from __future__ import annotations

import pytest
from worlds.project import ROOT

from tasks.common import paths
from tasks.common.errors import DataError
from tasks.evidence import owner
from tasks.evidence.owner import Heading


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return owner.read(path)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "owner.md"


def test_the_template_has_each_heading_once_in_order_and_no_answer():
    template = ROOT / paths.OWNER
    assert owner.SECTION.findall(template.read_text("utf-8")) == list(Heading)
    assert set(owner.read(template).values()) == {""}


def test_an_answer_is_what_stands_below_its_heading_without_comments(file):
    said = read(
        file,
        "# About\nno answer\n## Limits\n<!-- Which? -->\nFew children.\n\n### Site\nOne <b>.\n"
        "## Aim\n<!-- not\n## Users\nclosed",
    )
    assert said[Heading.LIMITS] == "Few children.\n\n### Site\nOne <b>."
    assert {heading for heading, text in said.items() if text} == {Heading.LIMITS}


def test_without_a_file_or_with_one_of_before_every_heading_is_a_gap(file):
    assert owner.read(file) == dict.fromkeys(Heading, "")
    said = read(file, "\ufeff## Users\r\nRadiologists\r\n")
    assert said == dict.fromkeys(Heading, "") | {Heading.USERS: "Radiologists"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("## Aim\nx\n## Jane Smith\ny", "heading 2 of the file is not known"),
        ("## Aim\nx\n## Users\n## Aim\ny", "heading 3 of the file stands there twice"),
    ],
)
def test_a_heading_that_is_not_known_is_refused_unquoted(file, text, what):
    with pytest.raises(DataError, match=what) as error:
        read(file, text)
    assert "Smith" not in str(error.value)
    assert "Ethics and consent" in str(error.value)


def test_what_is_no_text_is_refused(file):
    file.write_bytes(b"## Aim\n\xff\xfe")
    with pytest.raises(DataError, match="Save it as UTF-8"):
        owner.read(file)
