"""Completion of the command line, in a real bash."""
import re
import shlex
import subprocess

import pytest

from product import BIN, cli, running, wait_for
from screen import on_terminal

SCRIPT = BIN.parent / "completion/camring"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    cameras = {"door": "test:?size=160x90", "doorbell": "test:?size=160x90", "yard": "test:"}
    with running(tmp_path_factory.mktemp("completion"), cameras) as camring:
        (camring.folder / "some file.yaml").touch()
        (camring.folder / "some folder").mkdir()
        yield camring


def complete(line, folder="/", space=False):
    """What bash would offer for the last word of `line`."""
    words = line.split(" ")
    words = [part for word in words for part in re.split("(=)", word)]
    words[0] = str(BIN / "camring")
    script = (
        f"source {shlex.quote(str(SCRIPT))}; compopt() {{ :; }}; "
        f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; "
        '_camring; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-u", "-c", script],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [word for word in done.stdout.splitlines() if word]


def test_it_is_what_the_command_prints():
    done = cli("completion", "bash")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout == SCRIPT.read_text()
    assert cli("completion").returncode == 2 and cli("completion", "fish").returncode == 2
    subprocess.run(["bash", "-n", SCRIPT], check=True)


def test_commands():
    listed = re.findall(r"^  ([a-z]+)  ", cli("help").stdout, re.M)
    assert complete("camring ") == listed and len(listed) > 10
    assert complete("camring sta") == ["start", "status"]
    assert complete("camring help sna") == ["snapshot"]
    assert complete("camring help con") == ["config"]
    assert complete("camring --instance sta") == []  # a name, and no command
    assert complete("camring --instance x sta") == ["start", "status"]
    assert complete("camring --instance=x sta") == ["start", "status"]


@pytest.mark.parametrize("command", ["run", "status", "logs", "snapshot", "version"])
def test_options(command):
    """Those that its help lists, and no other."""
    listed = re.findall(r"(?:^  |, )(--?[a-z-]+)", cli(command, "--help").stdout, re.M)
    assert set(complete(f"camring {command} -")) == set(listed)
    assert complete(f"camring {command} --he") == ["--help"]


def test_cameras(live):
    at = f"--instance {live.instance}"
    assert complete(f"camring {at} logs do") == ["door", "doorbell"]
    assert complete(f"camring logs {at} -f y") == ["yard"]
    assert complete(f"camring --instance={live.instance} snapshot -o x door ya") == ["yard"]
    assert complete(f"camring -c {live.config} restart ") == ["door", "doorbell", "yard"]
    assert complete(f"camring {at} stop ") == []
    assert complete("camring --instance nothing-runs logs ") == []
    done = live.cli("completion", "cameras")
    assert (done.returncode, done.stdout.split()) == (0, ["door", "doorbell", "yard"])


def test_rings(live):
    assert complete(f"camring --instance {live.instance} shm li") == ["list"]
    assert "door" not in complete(f"camring --instance {live.instance} shm ")
    assert complete(f"camring --instance {live.instance} shm show ya") == ["yard"]


def test_files(live):
    folder = live.folder
    assert complete("camring check -c some", folder) == ["some file.yaml", "some folder"]
    assert complete("camring snapshot --output=some", folder) == ["some folder"]
    assert complete("camring logs -n ", folder) == []


def test_typed(live):
    """Into a bash with the script: what the tab key adds."""
    command = ["bash", "--norc", "--noprofile", "-i"]
    path = f"{BIN}:/usr/bin:/bin"
    with on_terminal(command, columns=200, PATH=path, PS1="ready> ") as screen:
        screen.press(f"source {SCRIPT}; cd {live.folder}\n".encode())
        wait_for(lambda: screen.read(0.05).count(b"ready> ") >= 2, 20, "a prompt")
        screen.press(f"camring --instance {live.instance} sna\t--al\t-o some\\ fo\t".encode())
        whole = f"camring --instance {live.instance} snapshot --all -o some\\ folder/".encode()
        wait_for(lambda: whole in screen.read(0.05), 20, "the words completed")
        screen.press(b"\x15")
        screen.press(f"camring --instance {live.instance} logs yar\t".encode())
        whole = f"camring --instance {live.instance} logs yard ".encode()
        wait_for(lambda: whole in screen.read(0.05), 20, "the camera completed")
