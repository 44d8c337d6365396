"""A pytest plugin: a time limit for each test, the counts for run-tests.sh, and camring instances
that are always stopped and leave nothing behind."""
import os
import signal

import pytest

from product import Camring

DEFAULT_LIMIT = 90  # seconds a test may take, its fixtures included


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Each test has a time limit."""
    mark = item.get_closest_marker("limit")
    limit = mark.args[0] if mark else DEFAULT_LIMIT

    def expired(*_):
        pytest.fail(f"took longer than {limit} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_terminal_summary(terminalreporter):
    """Leaves "passed failed skipped" where run-tests.sh looks for it."""
    path = os.environ.get("CAMRING_COUNTS")
    if path:
        count = {name: len(reports) for name, reports in terminalreporter.stats.items()}
        passed = count.get("passed", 0) + count.get("xpassed", 0)
        failed = count.get("failed", 0) + count.get("error", 0) + count.get("xfailed", 0)
        with open(path, "w") as file:
            print(passed, failed, count.get("skipped", 0), file=file)


@pytest.fixture
def instance(tmp_path):
    """Makes camring instances: instance(cameras, **options). All are stopped at the end; nothing
    may be left."""
    made = []

    def make(cameras, **options):
        made.append(Camring(tmp_path, cameras, **options))
        return made[-1]

    yield make
    faults = []
    for camring in made:
        try:
            camring.stop()
        except AssertionError as fault:
            faults.append(f"{camring.instance}: {fault}")
        finally:
            print(camring.log())
            camring.forget_log()
    assert not faults, faults
