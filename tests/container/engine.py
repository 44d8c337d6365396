"""A container engine of the tests' own: Debian's dockerd in namespaces of processes, mounts and,
when the images are there, network. Whatever it makes, bridges and packet filter included, goes
with them; images are kept in the build folder, and nothing anywhere else."""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from product import ROOT, children_of, wait_for

BASE = "debian:bookworm-slim"
CLONE_NEWNET = 0x40000000
# As the base image that everybody has leaves it out.
LEFT_OUT = ["doc", "info", "lintian", "locale", "man"]


def run(*words, limit=120, **options):
    """(exit code, what was said on either output)"""
    done = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        **options,
    )
    return done.returncode, done.stdout


def debian_sources():
    """The machine's own sources of Debian 12, for mmdebstrap; none: its default."""
    form = "$(ORIGIN) $(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    code, out = run("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    rows = [line.split(" ", 2) for line in out.splitlines() if code == 0]
    lines = [line for origin, name, line in rows if (origin, name[:8]) == ("Debian", "bookworm")]
    return sorted(set(lines))


class Engine:
    """`private`: with a network of its own, which the calling process enters, too; otherwise it has
    the machine's, for `build` alone, and changes nothing there."""

    def __init__(self, folder, private):
        self.private = private
        self.home = tempfile.TemporaryDirectory(prefix="camring-engine.")  # sockets: short paths
        self.host = f"unix://{self.home.name}/docker.sock"
        self.group = f"camring-engine-{os.getpid()}"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        # Networks of a run that was killed would come back, in the machine's network.
        shutil.rmtree(folder / "engine/network", ignore_errors=True)
        self.environment = {
            **os.environ,
            "PATH": f"/usr/bin:/usr/sbin:/bin:/sbin:{os.environ['PATH']}",
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": self.home.name,
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
        }
        own = [
            f"--data-root={folder}/engine",
            f"--exec-root={self.home.name}/exec",
            f"--pidfile={self.home.name}/pid",
            f"--cgroup-parent=/{self.group}",
        ]
        alone = ["--bridge=none", "--iptables=false", "--ip-forward=false"]
        start = 'ip link set lo up; exec dockerd "$@"' if private else 'exec dockerd "$@"'
        self.log = pathlib.Path(self.home.name, "log")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + (["--net"] if private else [])
            + ["sh", "-c", start, "sh", "-H", self.host, *own, *([] if private else alone)],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            env=self.environment,
        )

    def __enter__(self):
        try:
            wait_for(self.answers, 60, "an answer of the engine")
        except BaseException:
            print(self.log.read_text())
            self.end()
            raise
        self.daemon = children_of(self.holder.pid)[0]
        if self.private:
            self.enter()
        return self

    def __exit__(self, *_):
        self.docker("container", "prune", "--force")
        self.docker("network", "prune", "--force")
        self.docker("volume", "prune", "--force")
        self.docker("image", "prune", "--force", "--filter", "until=24h")  # of earlier builds
        self.end()

    def answers(self):
        assert self.holder.poll() is None, "the engine has ended: " + self.log.read_text()[-2000:]
        return self.docker("version")[0] == 0

    def end(self):
        for process in children_of(self.holder.pid):
            process.kill(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.holder.wait(30)
        self.holder.kill()  # and with it all processes in there
        self.holder.wait()
        for group in pathlib.Path("/sys/fs/cgroup").glob(f"*/{self.group}"):
            with contextlib.suppress(OSError):
                group.rmdir()
        shutil.rmtree(self.home.name, ignore_errors=True)

    def enter(self):
        """The calling process moves to the engine's network, where its ports are."""
        fd = os.open(f"/proc/{self.daemon.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.setns(fd, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(fd)

    def docker(self, *words, limit=120):
        return run("docker", *words, limit=limit, env=self.environment)

    def compose(self, *words, limit=120, cwd=ROOT):
        return run("docker-compose", *words, limit=limit, cwd=cwd, env=self.environment)

    def inspect(self, name):
        code, out = self.docker("inspect", name)
        assert code == 0, out
        return json.loads(out)[0]

    def kill(self, pid):
        """Kills a process by the number that the engine knows it by."""
        words = ("nsenter", f"--target={self.daemon.pid}", "--pid", "--mount", "kill", "-9", pid)
        assert run(*words)[0] == 0

    def make_base(self):
        """What users' engines fetch."""
        if self.docker("image", "inspect", BASE)[0] == 0:
            return
        tar = self.folder / "base.tar"
        hooks = "/usr/share/mmdebstrap/hooks/merged-usr"
        code, out = run(
            "mmdebstrap",
            "--variant=apt",
            "--include=usr-is-merged",
            f"--hook-dir={hooks}",
            *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT),
            "bookworm",
            tar,
            *debian_sources(),
            limit=900,
        )
        assert code == 0, out
        code, out = self.docker("import", "-c", 'CMD ["bash"]', tar, BASE, limit=300)
        assert code == 0, out
        tar.unlink()

    def build(self):
        """Both images, as the compose files say, but with the machine's network, as this engine
        has no other."""
        override = pathlib.Path(self.home.name, "network.yaml")
        services = {
            name: {"build": {"context": context, "network": "host"}}
            for name, context in (
                ("camring", "."),
                ("memory", "."),
                ("program", "common/python"),
            )
        }
        override.write_text(json.dumps({"services": services}))
        files = ("compose.yaml", "common/python/compose.yaml", override)
        code, out = self.compose(
            *(word for file in files for word in ("-f", file)), "build", limit=1500
        )
        assert code == 0, out[-5000:]
