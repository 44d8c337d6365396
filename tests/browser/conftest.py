"""Tests in a real browser.  What runs camring is shared with tests/integration."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
pytest_plugins = ["hooks"]


@pytest.fixture(scope="session")
def driver():
    from webdriver import Driver

    with Driver() as started:
        yield started


@pytest.fixture
def browser(driver, tmp_path):
    with driver.browser(tmp_path / "profile") as opened:
        yield opened
