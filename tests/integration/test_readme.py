"""Every command in README.md does what it says. They run in a box of their own (network, /run,
/dev/shm), so that the ports and names that README uses are free there, whatever runs on this
machine."""
import os
import re
import signal
import subprocess

import pytest

from logins import write_users
from product import BIN, ROOT, cli, wait_for
from readme import README, blocks, commands, section


def shows(box, process, codec):
    """The instance that `process` runs shows its one camera at the address README names; Ctrl-C
    ends it and leaves nothing."""
    page = wait_for(
        lambda: process.poll() is not None or box.get("http://127.0.0.1:8080/api/v1/cameras"),
        60,
        "the API",
    )
    assert process.poll() is None, "make run ended"
    assert page
    wait_for(
        lambda: b'"live"' in (box.get("http://127.0.0.1:8080/api/v1/cameras") or b""),
        30,
        "a live camera",
    )
    assert codec in box.get("http://127.0.0.1:8080/api/v1/cameras").decode()
    assert box.get("http://127.0.0.1:8080/")
    assert box.get("http://127.0.0.1:8080/snapshot")[:2] == b"\xff\xd8"
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    assert not box.left()


def make_run(box, **_):
    shows(box, box.popen("make", "run", cwd=ROOT), "test")


def make_run_camera(box, clips, **_):
    camera = box.popen(
        "/usr/bin/python3",
        "-B",
        ROOT / "tests/integration/rtsp_camera.py",
        clips.small_h264(),
        "--user",
        "user:password",
        stdout=subprocess.PIPE,
        text=True,
    )
    port = camera.stdout.readline().split()[1]
    shows(
        box,
        box.popen("make", "run", f"CAMERA=rtsp://user:password@127.0.0.1:{port}/cam", cwd=ROOT),
        "h264",
    )
    camera.stdout.close()


def make(**_):
    done = make_words()
    assert done.returncode == 0, done.stderr
    assert (ROOT / "build/bin/camring").exists()


def camring(word, needs_start):
    """A command to the built program, in a folder with a camring.yaml."""

    def check(box, **_):
        (box.folder / "camring.yaml").write_text("cameras:\n  door: test:?size=320x240\n")
        if needs_start:
            assert box.run(BIN / "camring", "start").returncode == 0
        done = box.run(BIN / "camring", *word.split())
        assert (done.returncode, done.stderr) == (0, "")
        if word == "shm list":
            assert "door" in done.stdout
        if word == "status":
            assert "live" in done.stdout
        if needs_start and word != "stop" or word == "start":
            assert box.run(BIN / "camring", "stop").returncode == 0
        assert not box.left()

    return check


def make_install(box, **_):
    """Below a folder of ours: test_install.py looks at what is there."""
    done = make_words("install", f"DESTDIR={box.folder}")
    assert done.returncode == 0, done.stderr
    assert (box.folder / "usr/local/bin/camring").exists()


def gst_launch(box, **_):
    """To a sink that needs no screen, and not for ever."""
    plugins = BIN.parent / "lib/gstreamer-1.0"
    if not (plugins / "libgstcamring.so").exists():
        pytest.skip("the plugin was not built: GStreamer's headers are needed")
    environment = {
        "GST_PLUGIN_PATH": plugins,
        "GST_REGISTRY": box.folder / "registry.bin",
        "LD_LIBRARY_PATH": plugins.parent,
    }
    command = GST_LAUNCH.replace("door", "door num-buffers=5").replace("autovideosink", "fakesink")
    (box.folder / "camring.yaml").write_text("cameras:\n  door: test:?size=320x240\n")
    assert box.run(BIN / "camring", "start").returncode == 0
    words = [f"{name}={value}" for name, value in environment.items()]
    done = box.run("env", *words, *command.split())
    assert done.returncode == 0, done.stderr
    assert box.run(BIN / "camring", "stop").returncode == 0
    assert not box.left()


def one_test(*words):
    def check(**_):
        done = make_words(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        counts = re.match(r"(\d+) passed, 0 failed, 0 skipped", done.stdout.splitlines()[-1])
        assert counts and int(counts[1]) > 0

    return check


def make_words(*words):
    """A make of its own: neither the counts nor the choices of the one that runs this are its."""
    own = ("TALLY", "UNIT", "PYTEST_ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    own += ("CAMRING_COUNTS", "CAMRING_TESTS")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        ["make", *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


GST_LAUNCH = "gst-launch-1.0 camringsrc camera=door ! videoconvert ! autovideosink"
EXAMPLE = re.compile("scripts/examples/|camringsink|ffmpeg")  # what test_examples.py runs
CHECKS = {
    "make run": make_run,
    "make run CAMERA=rtsp://user:password@10.0.0.5/stream1": make_run_camera,
    "make demo": lambda **_: None,  # test_examples.py
    "make test": lambda **_: None,  # is what runs this
    "make": make,
    "build/bin/camring check": camring("check", False),
    "build/bin/camring start": camring("start", False),
    "build/bin/camring status": camring("status", True),
    "build/bin/camring logs door": camring("logs door", True),
    "build/bin/camring snapshot --all -o pictures": camring("snapshot --all -o pictures", True),
    "build/bin/camring reload": camring("reload", True),
    "build/bin/camring shm list": camring("shm list", True),
    "build/bin/camring stop": camring("stop", True),
    "make install": make_install,
    GST_LAUNCH: gst_launch,
    "docker compose up": lambda **_: None,  # tests/container, as the next
    "docker compose kill -s HUP camring": lambda **_: None,
    "make test-unit UNIT=test_lease": one_test("test-unit", "UNIT=test_lease"),
    'make test-integration PYTEST_ARGS="-k test_version_for_programs"': one_test(
        "test-integration", "PYTEST_ARGS=-k test_version_for_programs"
    ),
}


def test_there_is_a_check_for_each_command():
    shown = {command for command in commands() if not EXAMPLE.search(command)}
    assert shown == set(CHECKS)


@pytest.mark.limit(180)
@pytest.mark.parametrize("command", CHECKS, ids=lambda command: command.replace("test_", "test-"))
def test_command(command, box, clips):
    """By ids that no `-k` of such a command finds: it would run itself, and so on."""
    CHECKS[command](box=box, clips=clips)


def test_the_configuration_shown_is_good(tmp_path):
    write_users(tmp_path / "users", {"me": "pass"})
    (tmp_path / "tokens").write_text("token\n")
    for i, block in enumerate(blocks("yaml")):
        path = tmp_path / f"{i}.yaml"
        path.write_text(block if "cameras:" in block else block + "cameras: {demo: 'test:'}\n")
        done = cli("check", "-c", path, env={"DOOR_USER": "a", "DOOR_PASS": "b"})
        assert (done.returncode, done.stderr) == (0, ""), block


def test_the_example_configuration_is_good():
    assert (
        cli(
            "check", "-c", ROOT / "camring.yaml", env={"DOOR_USER": "a", "DOOR_PASS": "b"}
        ).returncode
        == 0
    )


def test_help_explains_every_setting():
    done = cli("help", "config")
    assert done.returncode == 0
    assert all(
        word in done.stdout for word in ("listen", "stall_timeout", "quality", "reader_rows")
    )


def sources_accepted(folder):
    """{form: meaning} as `help config` tells it, for the schemes that `check` says it knows."""
    (folder / "c.yaml").write_text("cameras: {a: 'gopher://h/'}\n")
    done = cli("check", "-c", folder / "c.yaml")
    known = re.split(", | and ", re.search("known ones are (.*)", done.stderr)[1])
    lines = cli("help", "config").stdout.partition("\ncameras.ID.source: ")[2].splitlines()[2:]
    forms = {}
    for line in lines:
        if not line.startswith("    "):
            break
        form, _, meaning = line.strip().partition(": ")
        forms[form] = meaning
    assert [form.partition(":")[0] for form in forms] == known
    return forms


def test_sources_are_those_accepted(tmp_path):
    items = re.findall(r"^- `(.*?)`: (.*(?:\n  .*)*)$", section("Sources"), re.M)
    assert {form: " ".join(text.split()) for form, text in items} == sources_accepted(tmp_path)


def test_the_manual_lists_the_same_sources(tmp_path):
    page = BIN.parent / "man/camring.yaml.5"
    text = subprocess.run(
        ["groff", "-man", "-Tutf8", "-rLL=2000n", "-P-cbou", str(page)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    listed = re.search(r"cameras.ID.source\n(.*?)\n\s*cameras.ID.", text, re.S)[1].splitlines()[2:]
    listed = [line.strip().replace("‐", "-") for line in listed if line.strip()]
    assert listed == [f"{form}: {meaning}" for form, meaning in sources_accepted(tmp_path).items()]
    before = text.partition("KEYS")[0] + text.partition("EXAMPLES")[2]
    assert set(re.findall(r"\b([a-z0-9]+)://", before)) <= {"rtsp", "http"}


def test_paths_named_exist():
    folders = re.findall(r"^- `([a-z/]+/)`: ", section("Where things are"), re.M)
    assert len(folders) > 5
    for path in folders:
        assert (ROOT / path).is_dir(), path
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
        for path in re.findall(r"\]\(([^)]*)\)", (ROOT / name).read_text()):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_what_it_cannot_do_yet_is_refused(tmp_path):
    """What has come true must not stand there any longer."""
    found = re.findall(r"(key|command|source) `(.*?)`", section("What it can't yet"))
    assert len(found) == len(re.findall("`.*?`", section("What it can't yet")))
    for kind, word in found:
        camera = f"{{source: 'test:', {word}}}" if kind == "key" else f"'{word}'"
        (tmp_path / "c.yaml").write_text(f"cameras: {{door: {camera}}}\n")
        words = word.split()[1:] if kind == "command" else ["check", "-c", tmp_path / "c.yaml"]
        assert cli(*words).returncode == (2 if kind == "command" else 4), word


# What SECURITY.md says, and where that stands in the code.
BOUNDS = {
    "a URI: 8 KiB": ("server/http/http_parser.h", "HTTP_TARGET_MAX 8192"),
    "all header lines: 16 KiB": ("server/http/http_parser.h", "HTTP_HEAD_MAX 16384"),
    "a body: 16 KiB": ("server/http/http_parser.h", "HTTP_BODY_MAX 16384"),
    "a request: 20 s": ("server/http/conn_limits.h", "_READING_NS (20 * NS_PER_S)"),
    "an idle connection: 30 s": ("server/http/conn_limits.h", "_IDLE_NS (30 * NS_PER_S)"),
    "an answer: 120 s": ("server/http/conn_limits.h", "_ANSWERING_NS (120 * NS_PER_S)"),
    "64 MiB for each server process": ("server/http/pending.c", "PENDING_MAX (64u << 20)"),
    "waiting for that: 64": ("server/http/login.c", "ATTEMPTS_MAX 64"),
    "8 at a time": ("common/variant.h", "VARIANT_SLOTS 8"),
    "16384 pixels a side": ("common/ring.h", "RING_MAX_DIMENSION 16384"),
    "a JPEG: 64 MiB": ("capture/passthrough.c", "FRAME_MAX (64u << 20)"),
    "200 scans": ("common/jpeg_decode.c", "SCANS_MAX 200"),
    "5 files of 4 MiB": ("common/supervisor/commands/logwriter.h", "BYTES (4u << 20)"),
    "512 MiB": ("common/jpeg_decode.c", "MEMORY_MAX (512l << 20)"),
    "After 5 failures": ("common/throttle.h", "THROTTLE_FREE 5"),
    "1 s, doubling": ("common/throttle.h", "THROTTLE_FIRST_NS INT64_C(1000000000)"),
    "up to 60 s": ("common/throttle.h", "THROTTLE_LAST_NS (60 * INT64_C(1000000000))"),
    "after 10 minutes": ("common/throttle.h", "THROTTLE_FORGET_NS (600 * INT64_C(1000000000))"),
    "`max_clients` for streams, 1000": ("common/conf_options.c", '.fallback = "1000"'),
    "`client_timeout`, 10 s": ("common/conf_options.c", '.fallback = "10s"'),
}


@pytest.mark.parametrize("claim", BOUNDS)
def test_bounds_are_those_of_the_code(claim):
    path, said = BOUNDS[claim]
    assert claim in " ".join((ROOT / "SECURITY.md").read_text().split())
    assert said in (ROOT / path).read_text()


def test_files_named_for_contributors_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:common|capture|encoder|server|tests|scripts)/[\w./]+)`", text)
    assert len(paths) > 10
    for path in paths:
        assert list(ROOT.glob(path.replace("NAME", "*"))), path
