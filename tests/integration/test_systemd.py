"""The units, run by a real systemd: a manager in namespaces and a control group of its own, with
everything that they forbid camring. It is a user's manager, so that User= alone is left out."""
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from product import BIN, ROOT, children_of, fetch, free_port, mount_namespace, wait_for

SYSTEMD = "/lib/systemd/systemd"
HOME = "/run/camring-test"  # on a file system that nobody else sees
LIMIT = 60
CGROUP = pathlib.Path("/sys/fs/cgroup")
# Where systemd keeps its services apart: the unified hierarchy, or the two of the older layout.
HIERARCHIES = [path for path in (CGROUP / "unified", CGROUP / "systemd") if path.is_dir()]
HIERARCHIES = HIERARCHIES or [CGROUP]
TARGETS = "default basic shutdown sockets network-online exit"
START = """
set -e
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/systemd/system "$1"/units "$1"/bin /run/systemd/inaccessible/dir
mkdir -m 700 "$1"/run
mount --bind "$5" "$1"/bin # where it is, a service may not see it: below /tmp, say
cd /run/systemd/inaccessible
touch reg; mkfifo fifo; mknod chr c 0 0; mknod blk b 0 0
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
for name in $3; do
    printf '[Unit]\\nDefaultDependencies=no\\n' >"$1/units/$name.target"
done
for group in $2; do
    echo $$ >"$group/cgroup.procs"
done
export XDG_RUNTIME_DIR=$1/run SYSTEMD_UNIT_PATH=$1/units
"$4" --user --log-target=null & # a user's manager may not be the first process
wait
"""
_serial = itertools.count(1)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or not os.access(SYSTEMD, os.X_OK)
    or not all(os.access(path / "cgroup.procs", os.W_OK) for path in HIERARCHIES),
    reason="needs root, systemd and control groups for it",
)


class Manager:
    def __init__(self):
        self.name = f"camring-test-{os.getpid()}"
        groups = [path / self.name for path in HIERARCHIES]
        for group in groups:
            group.mkdir()
        self.holder = subprocess.Popen(
            [*mount_namespace("--pid", "--fork", "--kill-child", "--mount-proc")]
            + ["sh", "-c", START, "sh", HOME, " ".join(map(str, groups)), TARGETS, SYSTEMD]
            + [str(BIN)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(self.is_up, LIMIT, "systemd")
        except BaseException:
            self.close()
            raise

    def is_up(self):
        return self.ctl("is-system-running").stdout.strip() in ("running", "degraded")

    def inside(self, *words, **options):
        target = wait_for(lambda: children_of(self.holder.pid), LIMIT, "the namespaces")[0].pid
        return subprocess.run(
            ["nsenter", f"--target={target}", "--mount", "--pid", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            **options,
        )

    def ctl(self, *words):
        return self.inside("env", f"XDG_RUNTIME_DIR={HOME}/run", "systemctl", "--user", *words)

    def write(self, name, text):
        done = self.inside("sh", "-c", f"mkdir -p $(dirname {name}) && cat >{name}", input=text)
        assert done.returncode == 0, done.stderr

    def read(self, name):
        return self.inside("cat", name).stdout

    def close(self):
        self.holder.kill()
        self.holder.wait()
        for group in [CGROUP / self.name, *CGROUP.glob(f"*/{self.name}")]:
            for folder, *_ in os.walk(group, topdown=False):
                wait_for(lambda: remove(folder), LIMIT, "an empty control group")


def remove(folder):
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.exists(folder)


@pytest.fixture(scope="module")
def manager():
    made = Manager()
    yield made
    made.close()


class Service:
    """camring.service and camring.socket under names of their own."""

    def __init__(self, manager, cameras, socket=False, settings=""):
        self.manager, self.port = manager, free_port()
        self.instance = self.name = f"s{os.getpid()}n{next(_serial)}"
        self.folder = f"{HOME}/{self.name}"
        self.log = f"{self.folder}/log"
        self.write(cameras)
        scripts = ROOT / "scripts"
        text = (scripts / "camring.service").read_text()
        for old, new in (
            ("/usr/local/bin/camring run", f"{HOME}/bin/camring run"),
            ("/usr/local/bin/camring reload", f"{HOME}/bin/camring reload --instance {self.name}"),
            ("/etc/camring/camring.yaml", f"{self.folder}/camring.yaml"),
            ("User=camring\nSupplementaryGroups=video\n", ""),
            ("RuntimeDirectory=camring\n", f"RuntimeDirectory={self.name}\n"),
            ("=/run/camring\n", f"={HOME}/run/{self.name}\n"),
            ("[Service]\n", f"[Service]\nStandardError=file:{self.log}\n{settings}"),
        ):
            assert old in text
            text = text.replace(old, new)
        manager.write(f"{HOME}/units/{self.name}.service", text)
        if socket:
            text = (scripts / "camring.socket").read_text()
            text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
            manager.write(f"{HOME}/units/{self.name}.socket", text)
        self.ctl("daemon-reload")

    def write(self, cameras):
        conf = {
            "instance": self.instance,
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "cameras": cameras,
        }
        self.manager.write(f"{self.folder}/camring.yaml", json.dumps(conf))

    def ctl(self, word, *more):
        """The exit code."""
        names = [] if word == "daemon-reload" else [f"{self.name}.{more[0] if more else 'service'}"]
        return self.manager.ctl(word, *names).returncode

    def show(self, key):
        return self.manager.ctl("show", "-P", key, f"{self.name}.service").stdout.strip()

    def main(self):
        return int(self.show("MainPID"))

    def kill(self, how):
        assert self.manager.inside("kill", f"-{how}", self.main()).returncode == 0

    def said(self):
        return self.manager.read(self.log)

    def answers(self, path="/healthz"):
        try:
            return fetch(self.port, path)[0] == 200
        except OSError:
            return False

    def restarted(self, before):
        def is_new():
            return self.show("ActiveState") == "active" and self.main() not in (0, before)

        wait_for(is_new, LIMIT, "a restart")
        assert self.answers()


@pytest.fixture
def service(manager):
    made = []

    def make(cameras=None, **options):
        made.append(Service(manager, cameras or {"door": "test:?size=320x240"}, **options))
        return made[-1]

    yield make
    for one in made:
        one.ctl("stop", "socket")
        one.ctl("stop")
        print(one.said())


def test_it_has_started_when_it_answers_and_is_confined(service, manager):
    one = service()
    assert one.ctl("start") == 0, one.said()
    assert one.answers()
    wait_for(lambda: one.answers("/cameras/door/snapshot.jpg"), LIMIT, "a picture")
    status = manager.read(f"/proc/{one.main()}/status")
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000400" in status  # CAP_NET_BIND_SERVICE
    assert one.ctl("stop") == 0
    assert one.show("Result") == "success" and "supervisor: stopped" in one.said()


def test_reload_returns_when_it_is_done_or_says_that_it_failed(service):
    one = service()
    assert one.ctl("start") == 0, one.said()
    before = one.main()
    one.write({"door": "test:?size=320x240", "yard": "test:?size=160x120"})
    assert one.ctl("reload") == 0
    assert one.answers("/api/v1/cameras/yard")
    one.write({"door": "gopher://h/"})
    assert one.ctl("reload") != 0
    assert "gopher" in one.said()
    assert one.show("ActiveState") == "active" and one.main() == before
    assert one.answers("/api/v1/cameras/yard")


def test_a_hung_supervisor_is_replaced(service):
    one = service(settings="RestartSec=100ms\n")
    text = one.manager.read(f"{HOME}/units/{one.name}.service")
    assert "\nWatchdogSec=30\n" in text
    one.manager.write(
        f"{HOME}/units/{one.name}.service", text.replace("WatchdogSec=30", "WatchdogSec=10")
    )
    one.ctl("daemon-reload")
    assert one.ctl("start") == 0, one.said()
    before, told = one.main(), one.show("WatchdogTimestampMonotonic")
    wait_for(lambda: one.show("WatchdogTimestampMonotonic") != told, LIMIT, "a sign of life")
    assert one.main() == before
    one.kill(signal.SIGSTOP.name)
    one.restarted(before)
    assert int(one.show("NRestarts")) >= 1


def test_a_killed_supervisor_is_replaced(service):
    one = service()
    assert one.ctl("start") == 0, one.said()
    before = one.main()
    one.kill(signal.SIGKILL.name)
    one.restarted(before)


def test_a_bad_configuration_is_not_tried_again(service):
    one = service({"door": "gopher://h/"})
    assert one.ctl("start") != 0
    wait_for(lambda: one.show("ActiveState") == "failed", LIMIT, "failed")
    assert one.show("ExecMainStatus") == "4" and one.show("NRestarts") == "0"


def test_sockets_stay_while_it_is_restarted(service):
    """The first client starts it; its request is answered, as are those made meanwhile."""
    one = service(socket=True)
    assert one.ctl("start", "socket") == 0
    assert one.show("ActiveState") == "inactive"
    assert one.answers()
    before = one.main()
    assert one.ctl("restart") == 0
    assert one.answers() and one.main() != before
    assert one.ctl("stop") == 0
    assert one.answers()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not there")
def test_exposure():
    """What `systemd-analyze security` makes of the unit: from 0, nothing to be had, to 10."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20"]
        + [ROOT / "scripts/camring.service"],
        capture_output=True,
        text=True,
    )
    print(done.stdout[-200:])
    assert done.returncode == 0, done.stdout[-200:]
