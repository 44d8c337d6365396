"""What is wrong is said in one line, with the exit code that says which kind it is."""
import re
import socket

import pytest

from app import PORT
from product import wait_for

CAMERA = "cameras: {demo: 'test:'}\n"
ONCE = {"restart": "no"}


def of_camring(**changes):
    return {"services": {"camring": {**ONCE, **changes}}}


@pytest.mark.parametrize(
    "config, extra, code, line",
    [
        (
            CAMERA + "htpp: {}\n",
            of_camring(),
            4,
            r"/etc/camring/camring\.yaml:2:1: unknown key \"htpp\"; did you mean \"http\"\?",
        ),
        (
            CAMERA + "}\n",
            of_camring(),
            4,
            r"/etc/camring/camring\.yaml:2:1: YAML: .+",
        ),
        (
            "cameras: {a: 'http://me:${file:/run/secrets/door}@10.0.0.5/'}\n",
            {
                **of_camring(secrets=["door"]),
                "secrets": {"door": {"file": "./empty"}},
            },
            4,
            r"/etc/camring/camring\.yaml:1:25: the file \"/run/secrets/door\" is empty",
        ),
        (
            CAMERA + "http: {tokens_file: /run/secrets/tokens}\n",
            {
                **of_camring(secrets=["tokens"]),
                "secrets": {"tokens": {"file": "./empty"}},
            },
            4,
            r"/run/secrets/tokens:1:1: there is no token in it",
        ),
        (
            "cameras: {a: {source: 'test:', max_size: 3840x2160}}\n",
            of_camring(shm_size="16m"),
            1,
            r"camring: the pictures of 1 camera need \d+ bytes of shared memory, /dev/shm has "
            r"\d+: make it \d+ MiB or more \(.*--shm-size=\d+m.*\)",
        ),
        (
            CAMERA,
            of_camring(environment={"CAMRING_LISTEN_OPEN": "8080"}),
            4,
            r"/etc/camring/camring\.yaml:1:1: the environment variable CAMRING_LISTEN_OPEN: must "
            r"be HOST:PORT.*",
        ),
    ],
    ids=["unknown-key", "syntax", "empty-secret", "no-token", "shm-too-small", "address"],
)
def test_configuration(app, tmp_path, config, extra, code, line):
    (tmp_path / "empty").write_text("")
    one = app(config, extra).up()
    assert one.await_end()[0] == code
    said = [row for row in one.said().splitlines() if not re.match(r"[\dT:.-]+Z info ", row)]
    assert len(said) == 1 and re.fullmatch(line, said[0]), said


def test_no_configuration(app, tmp_path):
    one = app(extra=of_camring())
    (tmp_path / "camring.yaml").unlink()
    code, said = one.up().await_end()
    assert code == 4
    assert re.fullmatch(r".*/etc/camring/camring\.yaml.*No such file or directory\n", said), said


def test_a_configuration_that_cannot_be_read(app, tmp_path):
    one = app(extra=of_camring())
    (tmp_path / "camring.yaml").chmod(0o600)
    code, said = one.up().await_end()
    assert code == 4
    assert re.fullmatch(r".*/etc/camring/camring\.yaml.*Permission denied\n", said), said


def test_nothing_can_be_written(app):
    """A read-only root without a /tmp of its own."""
    one = app()
    text = (one.folder / "compose.yaml").read_text()
    (one.folder / "compose.yaml").write_text(
        text.replace("    tmpfs: [/tmp]\n", "").replace("unless-stopped", '"no"')
    )
    code, said = one.up().await_end()
    assert code == 1
    assert re.fullmatch(r"camring: cannot create /tmp/camring-900: Read-only .*\n", said), said


def test_another_user(app):
    """One that the image does not know will do."""
    one = app(extra={"services": {"camring": {"user": "12345:12345"}}}).up().await_healthy()
    assert one.inside("id", "-u").strip() == "12345"
    assert one.get("/cameras/demo/snapshot.jpg")


def test_an_unknown_name_of_a_user(app):
    code, out = app(extra=of_camring(user="nosuch")).compose("up", "-d", "--no-build")
    assert code == 1
    assert re.search(r"unable to find user nosuch: no matching entries", out), out


def test_a_port_in_use(app):
    with socket.create_server(("127.0.0.1", PORT)):
        code, out = app().compose("up", "-d", "--no-build")
    assert code == 1
    assert re.search(r"127\.0\.0\.1:8080: bind: address already in use", out), out


def test_a_camera_too_large_for_the_memory(app):
    """It fails alone, and says what there is and what it needs."""
    one = app(
        "cameras: {small: 'test:?size=320x240', large: 'test:?size=3840x2160'}\n",
        of_camring(shm_size="16m"),
    ).up()
    one.await_healthy()
    why = wait_for(
        lambda: [row["why"] for row in one.status()["cameras"] if row["id"] == "large"][0],
        60,
        "why",
    )
    assert re.search(r"\d+ bytes", why), why
    assert wait_for(lambda: one.get("/cameras/small/snapshot.jpg"), 60, "the other camera")
