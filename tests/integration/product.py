"""Runs camring: one instance per object, with a name, a port and a folder of its own, and nothing
of it left afterwards."""
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = (ROOT / os.environ.get("CAMRING_BUILD", "build")).resolve() / "bin"
SANITIZER = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:")
START_LIMIT = 30  # seconds; generous, for busy machines
STOP_LIMIT = 20

_serial = itertools.count(1)


PORTS = 100  # in a block
_claims, _ports = [], []


def claim(what, numbers):
    """One of `numbers` that is this process's own until it ends: no other process that runs tests
    on this machine gets it."""
    for number in numbers:
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(f"\0camring-tests {what} {number}")
        except OSError:
            held.close()
            continue
        _claims.append(held)
        return number
    raise AssertionError(f"no {what} is free")


def free_port():
    """A port that nobody listens on or gets unless told: each process has blocks of its own, below
    the ports that the system gives away, and none is handed out twice."""
    while True:
        if not _ports:
            system = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
            first = claim("ports from", range(10000, int(system.split()[0]) - PORTS, PORTS))
            _ports.extend(range(first, first + PORTS))
        port = _ports.pop(0)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("0.0.0.0", port))
            return port


def wait_for(check, limit, what):
    """Calls check() until it returns something true, and returns that; AssertionError after `limit`
    seconds."""
    deadline = time.monotonic() + limit
    while not (result := check()):
        assert time.monotonic() < deadline, f"{what}: not within {limit} s"
        time.sleep(0.02)
    return result


class Process:
    """A process that may be no child of ours, known by pid and start time, so that a pid used anew
    is never taken for it."""

    def __init__(self, pid):
        self.pid = pid
        self.start = self._stat()[1]
        self.name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()

    def _stat(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19], int(fields[1])

    def alive(self):
        try:
            state, start, _ = self._stat()
            return state not in "ZX" and start == self.start
        except (FileNotFoundError, ProcessLookupError):
            return False

    def kill(self, how=signal.SIGKILL):
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)

    def __repr__(self):
        return f"{self.name}[{self.pid}]"


def cpu_seconds(pid):
    """What the process has spent so far."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_of(pid):
    """The processes whose parent is `pid`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                process = Process(int(entry))
                if process._stat()[2] == pid:
                    found.append(process)
    return found


def fetch(port, path, method="GET", headers=None, timeout=60, tls=None):
    """(status, headers with names in lower case, body).  `tls`: an ssl.SSLContext."""
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


class Camring:
    """`cameras`: id to source or to a mapping of camera keys. `options`: further top-level keys of
    the configuration."""

    def __init__(self, folder, cameras, port=None, **options):
        self.instance = f"t{os.getpid()}n{next(_serial)}"
        self.port = port or free_port()
        self.folder = pathlib.Path(folder)
        self.config = self.folder / f"{self.instance}.yaml"
        self.log_path = self.folder / f"{self.instance}.log"
        self.tls = None  # an ssl.SSLContext to ask with
        self.supervisor = None  # Process
        self.seen = {}
        self._popen = None
        self.write_config(cameras, **options)

    def write_config(self, cameras, **options):
        # JSON is YAML, too.
        conf = {
            "instance": self.instance,
            "http": {"listen": [f"127.0.0.1:{self.port}"], **options.pop("http", {})},
            **options,
        }
        self.config.write_text(json.dumps({**conf, "cameras": cameras}, indent=1))

    # -- life

    def run(self, wait=True, wrapper=(), **popen):
        """`camring run`, as a child of ours."""
        with open(self.log_path, "ab") as log:
            command = [*wrapper, str(BIN / "camring"), "run", "-c", str(self.config)]
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **popen
            )
        if not wrapper:
            self.supervisor = Process(self._popen.pid)
        if wait:
            self.wait_listening()
        return self

    def exited(self):
        """The exit code of `run`, None while it runs."""
        return self._popen.poll()

    def wait_exit(self, limit=STOP_LIMIT):
        return self._popen.wait(limit)

    def start(self, *options, limit=60, **run):
        """`camring start`; the result of the command, whatever it is."""
        done = self.cli("start", "-c", str(self.config), *options, limit=limit, **run)
        self.find_supervisor()
        return done

    def find_supervisor(self):
        """Notes the process that `start` left in the background, if there is one."""
        status = self.cli("status", "--json")
        if status.returncode in (0, 5):
            self.supervisor = Process(json.loads(status.stdout)["pid"])
        return self.supervisor

    def cli(self, *words, limit=30, env=None):
        """A command to this instance."""
        return cli(*words, "--instance", self.instance, cwd=self.folder, limit=limit, env=env)

    def popen(self, *words):
        """The same, without waiting for its end; a subprocess.Popen whose output is text."""
        return subprocess.Popen(
            [str(BIN / "camring"), *words, "--instance", self.instance],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_listening(self):
        def answers():
            if self._popen and self._popen.poll() is not None:
                raise AssertionError(
                    f"camring run ended with {self._popen.returncode}:\n{self.log()}"
                )
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.get("/healthz")[0] == 200

        wait_for(answers, START_LIMIT, "an answer from /healthz")
        self.children()

    def stop(self, how=signal.SIGTERM):
        """Ends the instance the ordinary way and asserts that nothing of it is left."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            self.children()
        try:
            if self._popen and self._popen.poll() is None:
                self._popen.send_signal(how)
                try:
                    self._popen.wait(STOP_LIMIT)
                except subprocess.TimeoutExpired:
                    raise AssertionError(
                        f"camring did not stop within {STOP_LIMIT} s of SIGTERM"
                    ) from None
            elif not self._popen and self.supervisor and self.supervisor.alive():
                done = self.cli("stop", limit=STOP_LIMIT + 10)
                assert done.returncode == 0, done
            self.assert_nothing_left()
            found = SANITIZER.search(self.log())
            assert not found, f"{found[0]} in the log"
        finally:
            self.kill_all()

    def kill_all(self):
        """The last resort, and what ends an instance on a failed test: only processes that this
        object saw. Nothing is left."""
        for process in [self.supervisor, *self.seen.values()]:
            if process:
                process.kill()
        if self._popen:
            if self._popen.poll() is None:
                self._popen.kill()
            self._popen.wait()
        for path in [f"/dev/shm/{name}" for name in self.shm()] + self.runtime_files():
            if path.startswith("/"):  # an abstract socket's name is no file's
                pathlib.Path(path).unlink(missing_ok=True)

    def forget_log(self):
        log = self.background_log()
        for path in log.parent.glob(f"{log.name}*"):  # and the older ones
            path.unlink(missing_ok=True)

    # -- what is there

    def children(self, kind=None):
        """The processes below the supervisor, e.g. of kind "capture"."""
        found = children_of(self.supervisor.pid) if self.supervisor else []
        self.seen.update({(p.pid, p.start): p for p in found})
        return [p for p in found if not kind or p.name.startswith(f"camring-{kind}"[:15])]

    def shm(self):
        """This instance's objects in /dev/shm."""
        return sorted(
            name for name in os.listdir("/dev/shm") if self.instance in re.split(r"[.\-_/]", name)
        )

    def runtime_files(self):
        """Sockets and lock files that carry this instance's name."""
        folders = [
            f"{os.environ.get('XDG_RUNTIME_DIR', '/nowhere')}/camring",
            "/run/camring",
            f"/tmp/camring-{os.getuid()}",
        ]
        files = [
            str(path)
            for folder in folders
            for path in pathlib.Path(folder).glob(f"{self.instance}.*")
        ]
        with open("/proc/net/unix") as table:
            bound = [line.split()[7] for line in table if len(line.split()) > 7]
        return sorted(
            {*files, *(name for name in bound if re.search(rf"\b{self.instance}\b", name))}
        )

    def assert_nothing_left(self):
        def gone():
            return not [p for p in self.seen.values() if p.alive()]

        with contextlib.suppress(AssertionError):
            wait_for(gone, 5, "")
        alive = [p for p in self.seen.values() if p.alive()]
        assert not alive, f"processes left behind: {alive}"
        assert not self.shm(), f"left in /dev/shm: {self.shm()}"
        assert not self.runtime_files(), f"left: {self.runtime_files()}"

    def background_log(self):
        """Where `start` lets it log."""
        if os.geteuid() == 0:
            return pathlib.Path(f"/var/log/camring/{self.instance}.log")
        state = os.environ.get("XDG_STATE_HOME") or pathlib.Path.home() / ".local/state"
        return pathlib.Path(state) / f"camring/{self.instance}.log"

    def log(self):
        return "".join(
            path.read_text(errors="replace")
            for path in (self.log_path, self.background_log())
            if path.exists()
        )

    # -- its HTTP

    def get(self, path, **options):
        return fetch(self.port, path, **{"tls": self.tls, **options})

    def api(self, path):
        status, headers, body = self.get(f"/api/v1/{path}")
        assert status == 200, (status, body)
        assert headers["content-type"].startswith("application/json"), headers
        return json.loads(body)

    def camera(self, name):
        return self.api(f"cameras/{name}")

    def wait_state(self, name, state, limit=START_LIMIT):
        try:
            wait_for(lambda: self.camera(name)["state"] == state, limit, f"{name} {state}")
        except AssertionError:
            raise AssertionError(
                f"{name} not {state} within {limit} s: {self.camera(name)}"
            ) from None

    def wait_live(self, *names, limit=START_LIMIT):
        for name in names:
            self.wait_state(name, "live", limit)
        return self


def cli(*words, cwd=None, limit=30, env=None, stdin=subprocess.DEVNULL):
    """One `camring` command; its result with text."""
    return subprocess.run(
        [str(BIN / "camring"), *map(str, words)],
        cwd=cwd,
        timeout=limit,
        stdin=stdin,
        text=True,
        capture_output=True,
        env={**os.environ, **(env or {})},
    )


def mount_namespace(*more):
    """The beginning of a command that runs in a mount namespace of its own, and what else `unshare`
    is told to separate."""
    command = ["unshare", "--mount", *more] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        # In a chroot "/" is no mount point, whose propagation unshare could change; that is right
        # only where nothing is shared.
        assert (
            "shared:" not in pathlib.Path("/proc/self/mountinfo").read_text()
        ), "no private mount namespace can be had here"
        command += ["--propagation", "unchanged"]
    return command


@contextlib.contextmanager
def running(folder, cameras, tls=None, **options):
    """A camring in the foreground, stopped and checked at the end."""
    camring = Camring(folder, cameras, **options)
    camring.tls = tls
    try:
        camring.run()
        yield camring
    except BaseException:
        print(camring.log())
        camring.kill_all()
        raise
    try:
        camring.stop()
    finally:
        camring.forget_log()


class Source:
    """A camera in a process of its own (rtsp_camera.py, http_camera.py); `port` stays the same over
    stop and start."""

    def __init__(self, script, clip, *options):
        self.command = [
            "/usr/bin/python3",
            "-B",
            str(pathlib.Path(__file__).parent / script),
            str(clip),
            *options,
        ]
        self.port = 0
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [*self.command, "--port", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        words = self.process.stdout.readline().split()
        assert words and words[0] == "ready", f"{self.command} did not start"
        self.port = int(words[1])

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def signal(self, number):
        self.process.send_signal(number)
