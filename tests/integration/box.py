"""A box in which names and ports that README.md uses are free, whatever runs on this machine."""
import contextlib
import os
import signal
import subprocess

from product import mount_namespace


class Box:
    """Namespaces with nothing but a loopback interface, and /run, /dev/shm and /var/log empty."""

    def __init__(self, folder):
        self.folder = folder
        script = (
            "ip link set lo up && "
            "for d in /run /dev/shm /var/log; do mount -t tmpfs box $d || exit; done; "
            "echo ready; exec cat"
        )
        self.holder = subprocess.Popen(
            [*mount_namespace("--net"), "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.holder.stdout.readline() == "ready\n"
        inside = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.enter = [
            "nsenter",
            f"--target={self.holder.pid}",
            "--net",
            "--mount",
            "--root",
            "--wd",
            *inside,
        ]
        self.running = []

    def command(self, *words, cwd=None):
        go = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", cwd or self.folder]
        return [*self.enter, "--", *map(str, [*go, *words])]

    def popen(self, *words, cwd=None, **options):
        process = subprocess.Popen(
            self.command(*words, cwd=cwd),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
        self.running.append(process)
        return process

    def run(self, *words):
        return subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def get(self, url):
        done = subprocess.run(
            self.command("curl", "-sf", "--max-time", "5", url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        return done.stdout if done.returncode == 0 else None

    def left(self):
        return (
            self.run("ls", "/dev/shm").stdout.split()
            + self.run("find", "/run", "-type", "s").stdout.split()
        )

    def close(self):
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
