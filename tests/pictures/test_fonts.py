from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from tasks.pictures import charts, fonts

COUNTS = np.eye(2, dtype=np.int64)


@pytest.fixture(autouse=True)
def nothing_found_yet():
    fonts._substitutes.cache_clear()
    fonts._say.cache_clear()
    yield
    fonts._substitutes.cache_clear()


def draw(path: Path, *names: str) -> bytes:
    charts.confusion(path, [(list(names), COUNTS)])
    return path.read_bytes()


def a_font_of(path: Path, letters: str) -> str:
    """A font file whose letters are squares."""
    pen = TTGlyphPen(None)
    for place in ((0, 0), (0, 700), (700, 700), (700, 0)):
        (pen.lineTo if place != (0, 0) else pen.moveTo)(place)
    pen.closePath()
    names = [".notdef", *(f"u{ord(letter):x}" for letter in letters)]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap(dict(zip(map(ord, letters), names[1:], strict=True)))
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics(dict.fromkeys(names, (800, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": f"Squares {path.stem}", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return str(path)


def test_without_a_font_names_are_spelled_in_latin_letters_and_it_is_said_once(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(fonts, "_files", list)
    drawn = draw(tmp_path / "a.png", "胸片", "正常")
    draw(tmp_path / "b.png", "肺炎", "正常")
    assert drawn == draw(tmp_path / "c.png", "XiongPian", "ZhengChang")
    assert capsys.readouterr().err.count("fonts-noto-cjk") == 1


def test_what_pictures_spell_otherwise_is_known(monkeypatch):
    monkeypatch.setattr(fonts, "_files", list)
    assert fonts.spelled(["胸片", "NORMAL"]) == {"胸片": "XiongPian"}


def test_a_font_of_the_machine_is_taken_where_the_first_lacks_a_letter(
    tmp_path, monkeypatch, capsys
):
    """Warnings are errors here: a letter that is missing from a font is one."""
    monkeypatch.setattr(fonts, "_files", lambda: [a_font_of(tmp_path / "one.ttf", "胸片正常")])
    drawn = draw(tmp_path / "a.png", "胸片", "正常")
    assert drawn != draw(tmp_path / "b.png", "XiongPian", "ZhengChang")
    assert capsys.readouterr().err == ""


def test_two_scripts_take_two_fonts_and_the_rest_is_spelled(tmp_path, monkeypatch):
    files = [a_font_of(tmp_path / f"{k}.ttf", letters) for k, letters in enumerate(["ก", "胸片"])]
    monkeypatch.setattr(fonts, "_files", lambda: files)
    found = fonts._substitutes(frozenset("ก胸片正"))
    assert found == (["Squares 1", "Squares 0"], frozenset("正"))


def test_letters_that_the_first_font_has_need_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "_files", lambda: pytest.fail("there was no need to look"))
    draw(tmp_path / "a.png", "größer", "обычный")
