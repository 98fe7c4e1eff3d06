"""A watched folder's files: each is taken once, whatever another program does with it meanwhile."""

import os
import pathlib

import pytest

from hanma.upload import watch
from hanma.upload.desk import Result


class _Desk:
    def __init__(self):
        self.added = []

    def add(self, paths):
        """Remember what was put in."""
        self.added += [one.name for one in paths]
        return Result()


@pytest.fixture
def folder(tmp_path):
    made = watch.Folder(tmp_path)
    (tmp_path / "待传" / "a.csv").write_text("a\n", "utf-8")
    return made


def _swept(folder, desk):
    for path in folder.ready():
        folder.take(path, desk, "zh")
    return desk.added


def _refuse(*_, **__):
    raise PermissionError


def test_a_file_is_taken_at_the_second_look_that_finds_it_as_it_was(folder, tmp_path):
    desk = _Desk()
    assert _swept(folder, desk) == []
    (tmp_path / "待传" / "a.csv").write_text("a\nmore\n", "utf-8")
    assert _swept(folder, desk) == []
    assert _swept(folder, desk) == ["a.csv"] and list((tmp_path / "待传").iterdir()) == []


def test_a_file_that_another_program_keeps_open_is_taken_once_and_filed_away_when_it_is_closed(folder, tmp_path, monkeypatch):
    desk = _Desk()
    with monkeypatch.context() as windows:
        windows.setattr(os, "replace", _refuse)
        for _ in range(4):
            assert len(_swept(folder, desk)) <= 1
    assert [one.name for one in (tmp_path / "待传").iterdir()] == ["a.csv"]
    assert _swept(folder, desk) == ["a.csv"] and len(list((tmp_path / "已传").iterdir())) == 1


def test_a_file_that_was_kept_open_and_saved_again_is_taken_again(folder, tmp_path, monkeypatch):
    desk = _Desk()
    with monkeypatch.context() as windows:
        windows.setattr(os, "replace", _refuse)
        _swept(folder, desk)
        _swept(folder, desk)
        (tmp_path / "待传" / "a.csv").write_text("a\nmore\n", "utf-8")
        _swept(folder, desk)
    assert _swept(folder, desk) == ["a.csv", "a.csv"] and list((tmp_path / "待传").iterdir()) == []


def test_a_file_that_cannot_be_read_yet_is_left_for_a_later_look(folder, monkeypatch):
    desk = _Desk()
    with monkeypatch.context() as windows:
        windows.setattr(pathlib.Path, "open", _refuse)
        assert [_swept(folder, desk) for _ in range(3)][-1] == []
    assert (_swept(folder, desk), _swept(folder, desk))[1] == ["a.csv"]
