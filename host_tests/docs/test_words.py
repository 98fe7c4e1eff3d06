"""What the makers' and technicians' chapters say of the tools beside their commands: every option is one that there is."""

import re

import pytest
from typer.main import get_command

from hanma.cli import app
from host_tests.docs import chapters

_CHAPTERS = ("maker.md", "maker.zh.md", "technician.md", "technician.zh.md")
_INLINE = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"--[a-z][a-z0-9-]*")


def _command(words):
    """Return (the click command that these words name, its words); KeyError where there is none."""
    found, used = get_command(app), []
    for word in words:
        if not hasattr(found, "get_command"):
            break
        context = found.make_context("hanma", ["--help"], resilient_parsing=True)
        found = found.get_command(context, word) or _missing(word)
        found = found.make_context(word, ["--help"], resilient_parsing=True).command
        used.append(word)
    return found, used


def _missing(word):
    raise KeyError(word)


def _options(command):
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


def _of_bench():
    """Return the options that a chapter may name without their command."""
    named = (("provision",), ("accept",), ("flash",), ("doctor",), ("release", "build"), ("release", "serve"))
    return set().union(*(_options(_command(words)[0]) for words in named))


@pytest.mark.parametrize("chapter", _CHAPTERS)
def test_every_option_named_in_a_sentence_is_one_of_the_tools(chapter):
    text = re.sub(r"```.*?```", "", (chapters.DOCS / chapter).read_text("utf-8"), flags=re.DOTALL)
    named = [found for found in _INLINE.findall(text) if "--" in found or found.startswith("hanma ")]
    assert len(named) > 5
    for words in named:
        if words.startswith("hanma "):
            known = _options(_command(words.split()[1:])[0]) | {"--help"}
        else:
            known = _of_bench()
        assert set(_OPTION.findall(words)) <= known, words


def test_an_option_that_is_not_there_would_be_found():
    assert "--keyz" not in _of_bench() and "--keys" in _of_bench()
    with pytest.raises(KeyError):
        _command(["release", "publish"])


@pytest.mark.parametrize("chapter", _CHAPTERS)
def test_a_command_stands_in_a_block_that_is_run_and_nowhere_else(chapter):
    text = re.sub(r"```.*?```", "", (chapters.DOCS / chapter).read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r"^ {4,}\S.*", text, re.MULTILINE) == []
