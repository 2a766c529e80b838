"""The page as a whole, and the report in short."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from worlds import report as world
from worlds.report import (
    first_page,
    page,
)
from worlds.word_list import require_listed

from tasks.common import editing, paths
from tasks.evidence.checklist import Place
from tasks.evidence.own_text import own_text as words_of_evidence
from tasks.pictures.page import own_text


def test_the_page_says_what_was_found(before_report):
    html = page()
    assert "0.958" in html
    assert "(0.900 to 0.980)" in html
    assert "0.412" in html
    assert "Research use only; not a medical device." in html
    assert "EfficientNetLite0" in html
    assert "Sex, test" in html


def test_checklists_and_change_protocol_show_answers_and_gaps(before_report):
    html = page()
    assert "25 of 44 items answered; 18 left to the owner; 1 left to data or settings." in html
    answer = "<p>No ensemble: one network answers.</p>"
    assert re.search(rf'<tr><th scope="row">27 Ensembles</th><td>\s*{answer}', html)
    gap = "<strong>Gap:</strong> not known to the machine; say it in docs/owner.md under Limits."
    assert html.count(gap) == 2
    assert "<caption>2. Modification protocol</caption>" in html
    assert "AUROC 0.8, sensitivity 0.5 and specificity 0.5 or more by the lower ends" in html


def test_the_owners_words_stand_escaped_where_they_answer(before_report):
    paths.OWNER.parent.mkdir()
    paths.OWNER.write_text("## Limits\nFew <b>children</b>.\nOne site.\n", encoding="utf-8")
    html = page()
    assert html.count("<p>Few &lt;b&gt;children&lt;/b&gt;.\nOne site.</p>") == 3
    assert "under Limits" not in html
    assert '<p class="said">Few &lt;b&gt;children&lt;/b&gt;.' in first_page(html)
    assert "26 of 44 items answered; 17 left to the owner" in html


def test_checklists_name_sections_that_the_page_has(before_report):
    known = {"the first page", *re.findall(r'<section id="(\w+)"', page())}
    assert {place for place in Place if not place.startswith("docs/")} <= known


def test_the_report_in_short_counts_answers_and_names_gaps(before_report):
    page()
    short = paths.REPORT_IN_SHORT.read_text(encoding="utf-8")
    assert "- **CLAIM 2024**: 25 of 44 items answered; 18 left to the owner;" in short
    assert "Gaps: 3 Background and clinical role; 4 Aims and hypotheses; 5 Prospective" in short
    assert "Gaps: What the model is for; Why, how often, and how users learn of it;" in short


def test_the_report_in_short_escapes_tags_and_keeps_quotation_marks(before_report):
    editing.set_values(paths.PARAMS, {"report.title": """St Anne's "first" <b>"""})
    page()
    short = paths.REPORT_IN_SHORT.read_text(encoding="utf-8")
    assert """# St Anne's "first" &lt;b&gt;\n""" in short


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(before_report):
    html = page()
    sources = re.findall(r'src="(.{0,30})', html)
    assert len(sources) == 13
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert set(re.findall(r'href="(.)', html)) == {"#"}
    assert "<script" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_text_from_the_data_is_escaped(before_report):
    editing.set_values(paths.PARAMS, {"task.classes": ["well", "<script>"]})
    html = page()
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_its_words_are_its_own_listed_or_from_the_data(before_report):
    without_pictures = re.sub(r"base64,[^\"]+", "", page())
    require_listed(without_pictures, known=f"{own_text()} {words_of_evidence()} nodule")


def test_so_are_those_of_everything_that_can_be_wrong(before_report):
    world.write_every_part()
    html, card = page(), paths.REPORT_IN_SHORT.read_text()
    known = f"{own_text()} {words_of_evidence()} nodule south {world.LONG}"
    require_listed(re.sub(r"base64,[^\"]+", "", html) + card, known=known)
    wrong = first_page(html).partition("What is wrong with it")[2]
    assert len(re.findall('<li><a href="#', wrong)) == 7


def test_tags_are_balanced(before_report):
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                open_tags.append(tag)

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Checker().feed(page())
    assert open_tags == []


def test_the_same_content_gives_the_same_bytes(before_report):
    assert page() == page()


def test_the_short_report_says_the_same_as_markdown(before_report):
    page()
    card = paths.REPORT_IN_SHORT.read_text()
    assert "| AUROC | 0.958 (0.900 to 0.980) | 0.958 (0.900 to 0.980) |" in card
    assert "| Sex: M | 190 (43.2%) | 30 (50.0%) | 20 (33.3%) |" in card
    assert "| Sex: not known | 0 (0.0%) | 0 (0.0%) | 10 (16.7%) |" in card
    assert "<!-- place: verdict -->" in card
