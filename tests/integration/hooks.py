"""A pytest plugin: a time limit for each test, and camring instances that are always stopped and
leave nothing behind."""
import contextlib
import faulthandler
import signal
import time

import pytest

from product import Camring

pytest_plugins = ["parallel"]
DEFAULT_LIMIT = 90  # seconds a test may take, its fixtures included
LEFT = 20  # of them at least for what a test that took them all leaves behind
MERCY = 120  # seconds more after which the process dies with a test that does not even fail


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Each test has a time limit. Where it can't be made to fail, in foreign code for instance, the
    process dies with it."""
    mark = item.get_closest_marker("limit")
    item.limit = mark.args[0] if mark else DEFAULT_LIMIT
    item.deadline = time.monotonic() + item.limit
    faulthandler.dump_traceback_later(item.limit + MERCY, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def limited(item, least=0.001):
    def expired(*_):
        pytest.fail(f"took longer than {item.limit} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, max(item.deadline - time.monotonic(), least))
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    with limited(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    with limited(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    with limited(item, LEFT):
        yield


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
