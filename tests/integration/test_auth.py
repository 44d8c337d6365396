"""Users, tokens, what they protect, guessing, files that change, secrets that stay secret."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import struct
import time

import pytest

from logins import SLOW, basic, bearer, hash_of, replace, write_users
from multipart import Stream
from product import cli, cpu_seconds, running, wait_for

PATHS = {
    "page": ["/", "/web/app.js"],
    "stream": ["/cameras/cam/stream.mjpeg", "/stream", "/?action=stream", "/live"],
    "snapshot": ["/cameras/cam/snapshot.jpg", "/snapshot", "/?action=snapshot"],
    "api": ["/api/v1/cameras", "/api/v1/cameras/cam"],
    "metrics": ["/metrics"],
}
ME, TOKEN = basic("me", "Ux4-pass"), bearer("Tk9-token")
CAMERAS = {"cam": "test:?size=320x240&fps=20"}


def write_files(folder):
    write_users(folder / "users", {"me": "Ux4-pass", "you": "other"})
    (folder / "tokens").write_text("# for programs\nTk9-token\nTk10-token\n")
    return {"users_file": "users", "tokens_file": str(folder / "tokens")}


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locked")
    with running(folder, CAMERAS, http=write_files(folder)) as camring:
        wait_for(lambda: camring.get("/snapshot", headers=ME)[0] == 200, 30, "a picture")
        yield camring


@pytest.fixture
def own(instance, tmp_path):
    """One whose files a test may change; `own()` starts it."""

    def start(**http_options):
        camring = instance(CAMERAS, http={**write_files(tmp_path), **http_options}).run()
        camring.users, camring.tokens = tmp_path / "users", tmp_path / "tokens"
        wait_for(lambda: camring.get("/snapshot", headers=TOKEN)[0] == 200, 30, "a picture")
        return camring

    return start


def status_of(camring, path, headers=None, method="GET", source="127.0.0.1"):
    """Only the status, so that streams do for it, too."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", camring.port, timeout=60, source_address=(source, 0)
    )
    try:
        connection.request(method, path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("path", [path for paths in PATHS.values() for path in paths])
def test_everything_needs_a_login(locked, path):
    for method in "GET", "HEAD":
        assert status_of(locked, path, method=method) == 401
        assert status_of(locked, path, ME, method) == 200
        assert status_of(locked, path, TOKEN, method) == 200
    assert status_of(locked, path, method="OPTIONS") == 204


def test_wrong_ones(locked):
    """Each from an address of its own, as failures are counted."""
    wrong = [
        basic("me", "wrong"),
        basic("me", ""),
        basic("", "Ux4-pass"),
        basic("nobody", "Ux4-pass"),
        basic("me", "Ux4-pass" + "x" * 600),
        bearer("Tk9-toke"),
        bearer("Tk9-tokenx"),
        bearer(""),
        {"Authorization": "Basic !!!!"},
        {"Authorization": "Basic bWU="},
        {"Authorization": "Basic"},
        {"Authorization": "Digest username=me"},
        {"Authorization": "Tk9-token"},
        {"Authorization": "Basic " + "QUFB" * 3000},
    ]
    for number, headers in enumerate(wrong):
        assert (
            status_of(locked, "/snapshot", headers, source=f"127.0.1.{number + 1}") == 401
        ), headers


def test_what_is_asked_for(locked):
    status, _, body = locked.get("/")
    assert status == 401 and "error" in json.loads(body)
    connection = http.client.HTTPConnection("127.0.0.1", locked.port)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert [
        value.split()[0] for key, value in answer.getheaders() if key.lower() == "www-authenticate"
    ] == ["Basic", "Bearer"]
    connection.close()


def test_scheme_in_any_case(locked):
    assert status_of(locked, "/snapshot", {"Authorization": "bearer  Tk10-token"}) == 200
    assert (
        status_of(
            locked, "/snapshot", {"Authorization": ME["Authorization"].replace("Basic", "BASIC")}
        )
        == 200
    )


def test_no_camera_is_told_of_before_the_login(locked):
    assert status_of(locked, "/cameras/nobody/snapshot.jpg") == 401
    assert status_of(locked, "/cameras/nobody/snapshot.jpg", ME) == 404


def test_no_token_in_the_query(locked):
    assert status_of(locked, "/snapshot?token=Tk9-token") == 401


def test_probes_are_open_but_tell_little(instance, tmp_path):
    camring = instance({"cam": "file:/nowhere"}, http=write_files(tmp_path)).run()
    assert camring.get("/healthz")[0] == 200
    for headers, told in [({}, False), (bearer("wrong"), False), (ME, True), (TOKEN, True)]:
        status, _, body = camring.get("/readyz", headers=headers)
        assert status == 503
        assert bool(json.loads(body)["cameras"]) == told
        assert told or "cam\"" not in body.decode()


@pytest.mark.parametrize("protected", [["api"], ["page", "stream"], []])
def test_protect(own, protected):
    camring = own(protect=protected)
    for kind, paths in PATHS.items():
        for path in paths:
            assert status_of(camring, path) == (401 if kind in protected else 200), path


def test_what_changes_things_is_always_protected(own):
    camring = own(protect=[])
    for headers, status in [(None, 401), (ME, 403), (TOKEN, 202)]:
        assert status_of(camring, "/api/v1/cameras/cam/restart", headers, "POST") == status
    guesses = [
        status_of(camring, "/api/v1/cameras/cam/restart", bearer(f"{n}"), "POST", "127.0.8.1")
        for n in range(7)
    ]
    assert guesses == [401] * 5 + [429] * 2


def test_only_users_or_only_tokens(instance, tmp_path):
    files = write_files(tmp_path)
    for key, good, bad in [("users_file", ME, TOKEN), ("tokens_file", TOKEN, ME)]:
        camring = instance(CAMERAS, http={key: files[key]}).run()
        assert status_of(camring, "/", good) == 200
        assert status_of(camring, "/", bad) == 401
        assert (key == "users_file") == ("Basic" in camring.get("/")[1]["www-authenticate"])


@pytest.mark.parametrize(
    "setting",
    ["$y$j9T$abcdefghijkl", "$6$abc", "$5$abc", "$2y$04$abcdefghijklmnopqrstuu", "$1$abc"],
)
def test_kinds_of_hashes(own, setting):
    camring = own()
    write_users(camring.users, {"new": "p:a ss\u00e4"}, setting)
    wait_for(lambda: "read again" in camring.log(), 20, "the new file")
    assert status_of(camring, "/", basic("new", "p:a ss\u00e4")) == 200
    assert status_of(camring, "/", basic("new", "p:a ss")) == 401


def test_many_logins_of_one_user_are_one_hash(own):
    camring = own()
    begin = time.process_time()
    write_users(camring.users, {"slow": "Sl0w-pass"}, SLOW)
    cost = time.process_time() - begin
    wait_for(lambda: "read again" in camring.log(), 20, "the new file")
    (server,) = camring.children("server")
    before = cpu_seconds(server.pid)
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        statuses = list(
            pool.map(lambda _: status_of(camring, "/", basic("slow", "Sl0w-pass")), range(500))
        )
    assert statuses == [200] * 500
    assert cpu_seconds(server.pid) - before < 10 * cost


def test_hashing_does_not_hold_up_pictures(own):
    """Nothing on the event loop takes as long as a hash; the loop itself says what is slow."""
    camring = own()
    write_users(camring.users, {"slow": "Sl0w-pass"}, SLOW)
    wait_for(lambda: "read again" in camring.log(), 20, "the new file")
    with Stream(camring.port, "/stream", TOKEN) as stream:
        stream.wait_parts(1)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = [
                pool.submit(status_of, camring, "/", basic("slow", f"{n}"), "GET", f"127.0.2.{n}")
                for n in range(4)
            ]
            first = len(stream.parts)
            assert [answer.result() for answer in answers] == [401] * 4
        assert len(stream.parts) > first + 4


def test_guessing_is_slowed_down_for_the_guesser_only(own):
    camring = own()
    guesses = [
        status_of(camring, "/", basic("me", f"guess{n}"), source="127.0.3.1") for n in range(8)
    ]
    assert guesses == [401] * 5 + [429] * 3
    connection = http.client.HTTPConnection(
        "127.0.0.1", camring.port, source_address=("127.0.3.1", 0)
    )
    connection.request("GET", "/", headers=ME)
    answer = connection.getresponse()
    assert answer.status == 429 and 1 <= int(answer.getheader("Retry-After")) <= 2
    connection.close()
    assert status_of(camring, "/", ME, source="127.0.3.2") == 200
    assert status_of(camring, "/healthz", source="127.0.3.1") == 200
    wait_for(
        lambda: status_of(camring, "/", ME, source="127.0.3.1") == 200, 20, "the end of the wait"
    )


def test_guessing_at_once_is_no_way_around(own):
    """A hundred at the same time: no more than the free ones are looked at."""
    camring = own()
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        guesses = list(
            pool.map(
                lambda n: status_of(camring, "/", basic("me", f"guess{n}"), source="127.0.4.1"),
                range(100),
            )
        )
    assert guesses.count(401) == 5
    assert set(guesses) <= {401, 429, 503}
    assert status_of(camring, "/", ME, source="127.0.4.2") == 200


def test_tokens_are_not_to_be_guessed_either(own):
    camring = own()
    guesses = [status_of(camring, "/", bearer(f"guess{n}"), source="127.0.5.1") for n in range(8)]
    assert guesses == [401] * 5 + [429] * 3


def test_guesses_count_over_all_servers(own):
    """Whichever of them gets each guess, and whether it still lives."""
    camring = own(workers=3)
    assert [status_of(camring, "/", bearer(f"guess{n}"), source="127.0.8.1") for n in range(8)] == [
        401
    ] * 5 + [429] * 3
    dead = camring.children("server")
    for server in dead:
        server.kill()
    wait_for(
        lambda: not {p.pid for p in dead} & {p.pid for p in camring.children("server")},
        20,
        "other servers",
    )
    wait_for(
        lambda: status_of(camring, "/", bearer("guess"), source="127.0.8.1") == 401,
        20,
        "the end of the wait",
    )
    assert "a login failed, from 127.0.8.1, which has to wait for 2 s" in camring.log()


def test_proxies(own):
    """Failures behind a trusted proxy are their client's; from anybody else the header is a lie."""
    camring = own(trusted_proxies=["127.0.6.0/24"])

    def guess(number, source, client):
        return status_of(
            camring, "/", {**bearer(f"guess{number}"), "X-Forwarded-For": client}, source=source
        )

    assert [guess(n, "127.0.6.1", "1.2.3.4, 203.0.113.7") for n in range(6)] == [401] * 5 + [429]
    assert guess(9, "127.0.6.2", "203.0.113.7") == 429
    assert guess(9, "127.0.6.1", "203.0.113.8") == 401
    assert [guess(n, "127.0.7.1", f"203.0.113.{n}") for n in range(6)] == [401] * 5 + [429]


def test_a_client_that_resets_is_still_the_one_it_was(own):
    """The kernel has forgotten its address by then: it is no unix socket for that, whose words
    would be believed."""
    camring = own(trusted_proxies=["unix:"])
    (server,) = camring.children("server")
    server.kill(signal.SIGSTOP)
    try:
        for n in range(6):
            with socket.create_connection(
                ("127.0.0.1", camring.port), source_address=("127.0.9.1", 0)
            ) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.sendall(
                    "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n"
                    f"Authorization: Bearer g{n}\r\n\r\n".encode()
                )
    finally:
        server.kill(signal.SIGCONT)
    wait_for(
        lambda: "a login failed, from 127.0.9.1, which has to wait" in camring.log(),
        20,
        "the reset ones",
    )
    assert "203.0.113.9" not in camring.log() and "a unix socket" not in camring.log()


def settles(camring, headers, status):
    """Each look is from another address, so that failures don't count."""
    looks = iter(range(2, 65000))

    def look():
        n = next(looks)
        return status_of(camring, "/", headers, source=f"127.1.{n // 250}.{n % 250 + 1}") == status

    wait_for(look, 20, f"{status}")


def test_new_and_removed_users(own):
    camring = own()
    assert status_of(camring, "/", ME) == 200
    write_users(camring.users, {"you": "other", "new": "N3w-pass"})
    settles(camring, basic("new", "N3w-pass"), 200)
    settles(camring, ME, 401)
    replace(camring.tokens, "Tk10-token\n")
    settles(camring, TOKEN, 401)
    settles(camring, bearer("Tk10-token"), 200)


def test_written_in_place(own):
    camring = own()
    camring.users.write_text(f"new:{hash_of('N3w-pass')}\n")
    settles(camring, basic("new", "N3w-pass"), 200)
    settles(camring, ME, 401)


def test_a_bad_file_changes_nothing(own):
    camring = own()
    for text in ["me:no-hash-at-all\n", "", "me\n"]:
        before = camring.log().count("those from before stay")
        replace(camring.users, text)
        wait_for(
            lambda: camring.log().count("those from before stay") > before,
            20,
            "a word about the bad file",
        )
        assert status_of(camring, "/", ME) == 200
    camring.users.unlink()
    wait_for(lambda: "No such file" in camring.log(), 20, "a word about the missing file")
    assert status_of(camring, "/", ME) == 200
    assert f"{camring.users}:1:4: the hash of user \"me\"" in camring.log()
    assert "no-hash-at-all" not in camring.log()
    write_users(camring.users, {"new": "N3w-pass"})
    settles(camring, basic("new", "N3w-pass"), 200)
    settles(camring, ME, 401)


def test_links_that_are_switched(own, tmp_path):
    """As secrets are given to containers: users -> ..data/users, ..data -> ..1."""
    secrets = tmp_path / "secrets"
    for number, name in [(1, "first"), (2, "second")]:
        (secrets / f"..{number}").mkdir(parents=True)
        write_users(secrets / f"..{number}" / "users", {name: "S3c-pass"})
    (secrets / "..data").symlink_to("..1")
    (secrets / "users").symlink_to("..data/users")
    camring = own(users_file=str(secrets / "users"))
    assert status_of(camring, "/", basic("first", "S3c-pass")) == 200
    (secrets / "..next").symlink_to("..2")
    os.rename(secrets / "..next", secrets / "..data")
    settles(camring, basic("second", "S3c-pass"), 200)
    settles(camring, basic("first", "S3c-pass"), 401)
    write_users(secrets / "..2" / "users", {"third": "S3c-pass"})
    settles(camring, basic("third", "S3c-pass"), 200)


def test_streams_outlive_a_change(own):
    camring = own()
    with Stream(camring.port, "/stream", ME) as stream:
        stream.wait_parts(2)
        write_users(camring.users, {"new": "N3w-pass"})
        settles(camring, basic("new", "N3w-pass"), 200)
        stream.wait_parts(len(stream.parts) + 5)


def test_a_client_that_does_not_wait_for_the_verdict(own):
    """It leaves, or sends on, while its password is being hashed."""
    camring = own()
    write_users(camring.users, {"slow": "Sl0w-pass"}, SLOW)
    wait_for(lambda: "read again" in camring.log(), 20, "the new file")
    request = (
        "GET /snapshot HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n"
        % basic("slow", "Sl0w-pass")["Authorization"]
    )
    with socket.create_connection(("127.0.0.1", camring.port)) as s:
        s.sendall(request.encode())
    with socket.create_connection(("127.0.0.1", camring.port)) as s:
        s.sendall(request.encode())
        time.sleep(0.1)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(20)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 2:
            data = s.recv(65536)
            assert data, received[-200:]
            received += data
    assert status_of(camring, "/healthz") == 200


def test_open_bind(tmp_path):
    files = write_files(tmp_path)
    for options, word in [
        ({}, "users_file"),
        ({**files, "protect": ["page", "api"]}, "protect"),
        ({**files, "protect": []}, "protect"),
        (files, None),
        ({"tokens_file": files["tokens_file"]}, None),
        ({"allow_open_bind": True}, None),
    ]:
        path = tmp_path / "c.yaml"
        path.write_text(
            json.dumps({"http": {"listen": "0.0.0.0:18080", **options}, "cameras": CAMERAS})
        )
        done = cli("check", "-c", path)
        assert done.returncode == (4 if word else 0), (options, done)
        assert not word or word in done.stderr


@pytest.mark.parametrize("command", ["check", "run", "start"])
def test_bad_files_are_said_before_anything_starts(tmp_path, command):
    (tmp_path / "users").write_text("me:P1ain-password\n")
    path = tmp_path / "c.yaml"
    path.write_text(
        json.dumps({"http": {"users_file": "users", "tokens_file": "none"}, "cameras": CAMERAS})
    )
    done = cli(command, "-c", path)
    assert done.returncode == 4
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{tmp_path}/users:1:4: ") and lines[1].startswith(
        f"{tmp_path}/none:1:1: "
    ), lines
    assert "P1ain" not in done.stderr


def test_secrets_stay_secret(own):
    camring = own()
    for headers in ME, TOKEN, basic("me", "Wr0ng-pass"), bearer("Wr0ng-token"):
        camring.get("/api/v1/cameras", headers=headers)
    told = [camring.log(), camring.cli("status", "--json").stdout]
    told += [
        camring.get(path, headers=ME)[2].decode(errors="replace")
        for path in ("/", "/api/v1/cameras", "/readyz")
    ]
    for process in [camring.supervisor, *camring.children()]:
        with contextlib.suppress(FileNotFoundError):
            told += [
                pathlib.Path(f"/proc/{process.pid}/{name}").read_text(errors="replace")
                for name in ("cmdline", "environ")
            ]
    secrets = [
        "Ux4-pass",
        "Tk9-token",
        "Wr0ng",
        ME["Authorization"].split()[1],
        hash_of("Ux4-pass")[7:],
    ]
    assert not [secret for secret in secrets for text in told if secret in text]
    assert "a login failed, from 127.0.0.1" in camring.log()
