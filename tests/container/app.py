"""camring as compose.yaml runs it, in a folder and under a name of its own."""
import itertools
import json
import re
import shutil
import subprocess

from product import ROOT, fetch, wait_for

PORT = 8080  # in the network of the tests' engine nothing else has it
LIMIT = 120  # seconds; generous, for busy machines
# What README says to do, without "docker compose".
UP, RELOAD = (
    words.split()
    for words in re.findall(
        r"^docker compose ([^#\n]*?) *(?:#.*)?$", (ROOT / "README.md").read_text(), re.M
    )
)
_serial = itertools.count(1)


class App:
    """`extra`: what is changed of compose.yaml, as a mapping; `program`: with the second file."""

    def __init__(self, engine, folder, config=None, extra=None, program=False):
        self.engine, self.folder = engine, folder
        self.project = f"test{next(_serial)}"
        folder.chmod(0o755)  # the container's user reads it
        shutil.copy(ROOT / "compose.yaml", folder)
        shutil.copy(ROOT / "camring.yaml", folder)
        files = ["compose.yaml"]
        if program:
            shutil.copytree(ROOT / "common/python", folder / "common/python")
            files.append("common/python/compose.yaml")
        if extra:
            (folder / "extra.yaml").write_text(json.dumps(extra))
            files.append("extra.yaml")
        if config is not None:
            self.write(config)
        self.files = [word for file in files for word in ("-f", file)]

    def write(self, config):
        """As editors do it: a new file in the old one's place."""
        new = self.folder / "camring.yaml.new"
        new.write_text(config)
        new.rename(self.folder / "camring.yaml")

    def compose(self, *words, limit=LIMIT):
        return self.engine.compose(
            "-p", self.project, *self.files, *words, cwd=self.folder, limit=limit
        )

    def up(self):
        code, out = self.compose("up", "-d", "--no-build")
        assert code == 0, out
        return self

    def in_the_foreground(self):
        """`up` as README has it; a subprocess.Popen."""
        return subprocess.Popen(
            ["docker-compose", "-p", self.project, *self.files, *UP],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=self.engine.environment,
        )

    def name(self, service="camring"):
        return f"{self.project}_{service}_1"

    def state(self, service="camring"):
        return self.engine.inspect(self.name(service))["State"]

    def exists(self, service="camring"):
        return self.engine.docker("inspect", self.name(service))[0] == 0

    def healthy(self):
        return self.health() == "healthy"

    def health(self):
        """What the last health checks say; None before the container has been started."""
        return self.state().get("Health", {}).get("Status")

    def await_healthy(self):
        wait_for(self.healthy, LIMIT, "healthy")
        return self

    def await_end(self):
        """(exit code, what it said)"""
        wait_for(lambda: self.state()["Status"] in ("exited", "dead"), LIMIT, "the end")
        return self.state()["ExitCode"], self.said()

    def said(self, service="camring"):
        return self.engine.docker("logs", self.name(service))[1]

    def inside(self, *words):
        code, out = self.engine.docker("exec", self.name(), *words)
        assert code == 0, out
        return out

    def status(self):
        """What `camring status --json` says in there."""
        code, out = self.engine.docker("exec", self.name(), "camring", "status", "--json")
        return json.loads(out) if code in (0, 5) else None

    def get(self, path):
        """The body, or None while there is nobody to answer."""
        try:
            status, _, body = fetch(PORT, path)
        except OSError:
            return None
        return body if status == 200 else None

    def down(self):
        print(self.said())
        code, out = self.compose("down", "--volumes", "--timeout", "10")
        assert code == 0, out


def pids(one):
    """{name: pid} of the processes that are ready"""
    status = one.status() or {"processes": []}
    return {row["name"]: row["pid"] for row in status["processes"] if row["state"] == "ready"}
