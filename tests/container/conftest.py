"""Tests in containers, with a real engine. What reads streams is shared with tests/integration."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
pytest_plugins = ["hooks"]
BUILDING = 1800  # seconds that the images may take


def pytest_collection_modifyitems(items):
    """The first test is the one for which the images are made."""
    for item in items[:1]:
        item.add_marker(pytest.mark.limit(BUILDING), append=False)
    for item in items[1:]:
        item.add_marker(pytest.mark.limit(300))


@pytest.fixture(scope="session")
def engine():
    from engine import Engine
    from product import ROOT

    if os.geteuid() != 0:
        pytest.fail("an engine for containers can be started by root alone", pytrace=False)
    folder = ROOT / "build-container"
    with Engine(folder, private=False) as builder:
        builder.make_base()
        builder.build()
    with Engine(folder, private=True) as started:
        yield started


@pytest.fixture
def app(engine, tmp_path):
    """Makes applications, app(config, extra, program), and removes them at the end."""
    from app import App

    made = []

    def make(*words, **options):
        made.append(App(engine, tmp_path, *words, **options))
        return made[-1]

    yield make
    for one in made:
        one.down()


@pytest.fixture(scope="module")
def running(engine, tmp_path_factory):
    """compose.yaml and camring.yaml as they are."""
    from app import App

    one = App(engine, tmp_path_factory.mktemp("running")).up()
    try:
        yield one.await_healthy()
    finally:
        one.down()
