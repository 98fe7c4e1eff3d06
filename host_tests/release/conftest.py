"""The keys of the whole run: making one takes a second."""

import pytest

from host_tests.release import commands


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A directory with keys, where bundles are made."""
    return commands.Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture
def tree(tmp_path):
    """A small staged tree."""
    return commands.write_tree(tmp_path / "tree")
