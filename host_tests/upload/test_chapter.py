"""The clerk's chapter says what the uploader's data says."""

import re

import pytest

from hanma.upload import catalogue
from hanma.upload.cli import app
from host_tests import chapter


@pytest.mark.parametrize("lang", chapter.CHAPTERS)
def test_the_tables_of_settings_are_those_of_the_data(lang):
    text = chapter.CHAPTERS[lang].read_text("utf-8")
    assert chapter.written(text, lang) == text, "python -m host_tests.chapter"


@pytest.mark.parametrize("lang", chapter.CHAPTERS)
def test_every_platform_with_settings_has_its_table(lang):
    wanted = {key for key in catalogue.platforms() if catalogue.load(key).settings}
    assert chapter.platforms_in(chapter.CHAPTERS[lang].read_text("utf-8")) == wanted


@pytest.mark.parametrize("lang", chapter.CHAPTERS)
def test_the_chapter_names_every_command_and_none_that_is_not_there(lang):
    text = chapter.CHAPTERS[lang].read_text("utf-8")
    commands = {one.name or one.callback.__name__.removesuffix("_command") for one in app.registered_commands}
    commands |= {one.name or one.typer_instance.info.name for one in app.registered_groups}
    assert set(re.findall(r"hanma upload ([a-z]+)", text)) == commands


@pytest.mark.parametrize("lang", chapter.CHAPTERS)
def test_the_chapter_shows_pictures_that_are_there(lang):
    path = chapter.CHAPTERS[lang]
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", path.read_text("utf-8"))
    assert len(shown) == 3 and all((path.parent / one).exists() for one in shown)
