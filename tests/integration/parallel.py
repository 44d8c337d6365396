"""A pytest plugin: which tests run beside each other (with pytest-xdist), and counts that leave
none out.

Tests that share a module's instance run one after the other in one process; all others may run
anywhere. Those marked `quiet` measure something that the others' work would spoil; run-tests.sh
runs them by themselves, few at a time (CAMRING_TESTS)."""
import contextlib
import os
import pathlib
import signal

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "quiet: only beside few others, which are quiet, too")
    config.pluginmanager.register(Counts(config), "camring-counts")


def shares_an_instance(item):
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return any(definitions[-1].scope == "module" for definitions in fixtures)


def rank(item):
    """What takes long begins first: many tests that go together, then those that may take long."""
    return 0 if shares_an_instance(item) else 1 if item.get_closest_marker("limit") else 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    wanted = {"quiet": True, "busy": False}.get(os.environ.get("CAMRING_TESTS"))
    if wanted is not None:
        left = [item for item in items if bool(item.get_closest_marker("quiet")) != wanted]
        items[:] = [item for item in items if bool(item.get_closest_marker("quiet")) == wanted]
        config.hook.pytest_deselected(items=left)
    if hasattr(config, "workerinput"):
        for item in items:
            if shares_an_instance(item):
                item.add_marker(pytest.mark.xdist_group(item.path.stem))
        items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadGroupScheduling

    class Scheduling(LoadGroupScheduling):
        def remove_node(self, node):
            """A test in which the process dies has failed. xdist would run it again, and lose a
            process each time."""
            crashed = None
            for scope, unit in list(self.assigned_work[node].items()):
                left = [test for test, done in unit.items() if not done]
                if left and not crashed:
                    crashed = left.pop(0)
                    unit[crashed] = True
                if not left:
                    del self.assigned_work[node][scope]
            super().remove_node(node)
            return crashed

    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """What a process that died had started goes with it."""
    if not error:
        return
    mark = {
        f"PYTEST_XDIST_WORKER={node.workerinput['workerid']}",
        f"PYTEST_XDIST_TESTRUNUID={node.workerinput['testrunuid']}",
    }
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark <= set((process / "environ").read_text(errors="replace").split("\0")):
                os.kill(int(process.name), signal.SIGTERM)


class Counts:
    """Leaves "passed failed skipped" where run-tests.sh looks for it. A test that was to run and
    did not has failed."""

    def __init__(self, config):
        self.config = config
        self.wanted, self.ended = set(), set()

    def pytest_collection_finish(self, session):
        self.wanted.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids):
        self.wanted.update(ids)

    def pytest_runtest_logreport(self, report):
        if report.when == "teardown" or report.failed:
            self.ended.add(report.nodeid)

    def pytest_sessionfinish(self):
        path = os.environ.get("CAMRING_COUNTS")
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if not path or not reporter:
            return
        count = {name: len(reports) for name, reports in reporter.stats.items()}
        passed = count.get("passed", 0) + count.get("xpassed", 0)
        failed = count.get("failed", 0) + count.get("error", 0) + count.get("xfailed", 0)
        left = [] if self.config.getvalue("maxfail") else sorted(self.wanted - self.ended)
        for test in left:
            reporter.write_line(f"never ended: {test}")
        with open(path, "w") as file:
            print(passed, failed + len(left), count.get("skipped", 0), file=file)
