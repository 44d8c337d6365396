"""`camring reload` and SIGHUP on instances that run: what changes, what doesn't, what is
refused."""
import contextlib
import json
import os
import resource
import signal
import socket
import threading
import time

import pytest

from multipart import Stream
from product import free_port, running, wait_for

SMALL = "test:?size=160x120&fps=20"


class Unchanged:
    """A camera that a reload must not touch: its capture and its frames, and a viewer of it."""

    def __init__(self, camring, name):
        self.camring, self.name = camring, name
        self.process = self.capture()
        self.before = self.counters()
        self.stream = Stream(camring.port, f"/cameras/{name}/stream.mjpeg?info=1")
        self.stream.wait_parts(2)

    def capture(self):
        status = json.loads(self.camring.cli("status", "--json").stdout)
        return next(p["pid"] for p in status["processes"] if p["name"] == f"capture {self.name}")

    def counters(self):
        status = json.loads(self.camring.cli("status", "--json").stdout)
        return next(c for c in status["cameras"] if c["id"] == self.name)

    def check(self):
        """The same process, no frame lost between the camera and the rings, the same stream."""
        now = self.counters()
        assert self.capture() == self.process
        assert now["restarts"] == self.before["restarts"]
        for lost in ("no_slot", "corrupt", "aborted"):
            assert now[lost] == self.before[lost], (lost, now)
        assert now["packets"] - now["captured"] in (0, 1), now  # one may be in hand
        count = len(self.stream.parts)
        self.stream.wait_parts(count + 3)
        numbers = [int(p.headers["x-frame"]) for p in self.stream.parts if "x-frame" in p.headers]
        assert numbers == sorted(set(numbers)), "frames came twice, or in another order"
        self.stream.close()


def reload(camring, cameras=None, code=0, **options):
    if cameras is not None:
        camring.write_config(cameras, **options)
    done = camring.cli("reload", "--json", limit=60)
    assert done.returncode == code, done
    return json.loads(done.stdout)


def ids(camring):
    return [c["id"] for c in camring.api("cameras")["cameras"]]


def rings(camring):
    return {name.split(".")[2] for name in camring.shm() if name.count(".") > 1}


def verify(camring):
    done = camring.cli("shm", "verify", limit=60)
    assert done.returncode == 0, done


# ---- cameras


def test_cameras_are_added_changed_and_removed(tmp_path):
    cameras = {"a": SMALL, "b": SMALL, "c": SMALL}
    with running(tmp_path, cameras) as camring:
        camring.wait_live(*cameras)
        pid = camring.supervisor.pid
        same = Unchanged(camring, "a")
        old = {
            "b": Stream(camring.port, "/cameras/b/stream.mjpeg").wait_parts(1),
            "c": Stream(camring.port, "/cameras/c/stream.mjpeg").wait_parts(1),
        }
        after = {"d": SMALL, "a": SMALL, "c": "test:?size=320x240&fps=20"}
        answer = reload(camring, after)
        assert answer == {
            "ok": True,
            "added": ["d"],
            "removed": ["b"],
            "changed": ["c"],
            "restarted": ["c"],
            "unchanged": 1,
            "settings": [],
        }
        assert camring.supervisor.pid == pid and camring.supervisor.alive()
        # by the time that the command returns nothing is left of what is gone
        assert rings(camring) == {"a", "c", "d"}
        assert ids(camring) == ["d", "a", "c"]  # as in the file
        wait_for(lambda: old["b"].ended, 5, "the end of the removed camera's stream")
        assert camring.get("/cameras/b/snapshot.jpg")[0] == 404
        camring.wait_live("c", "d")
        wait_for(lambda: camring.camera("c")["width"] == 320, 10, "the changed camera's pictures")
        assert not old["c"].ended
        assert camring.get("/cameras/d/snapshot.jpg")[0] == 200
        verify(camring)
        same.check()
        old["c"].close()


def test_a_camera_that_is_changed_in_words_goes_on(tmp_path):
    with running(tmp_path, {"a": {"source": SMALL}}) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        large = len(camring.get("/cameras/a/snapshot.jpg")[2])
        answer = reload(camring, {"a": {"source": SMALL, "jpeg": {"quality": 5}}})
        assert (answer["changed"], answer["restarted"]) == (["a"], [])
        wait_for(
            lambda: len(camring.get("/cameras/a/snapshot.jpg")[2]) < 0.8 * large,
            10,
            "pictures of the new quality",
        )
        same.check()


def test_a_renamed_camera_is_another(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        answer = reload(camring, {"z": SMALL})
        assert (answer["added"], answer["removed"]) == (["z"], ["a"])
        camring.wait_live("z")
        assert ids(camring) == ["z"]
        assert rings(camring) == {"z"}
        verify(camring)


def test_a_place_is_used_again(tmp_path):
    with running(tmp_path, {"a": SMALL, "b": SMALL}, max_cameras=3) as camring:
        camring.wait_live("a", "b")
        same = Unchanged(camring, "a")
        for i in range(4):
            reload(camring, {"a": SMALL, f"c{i}": SMALL, f"d{i}": SMALL}, max_cameras=3)
            camring.wait_live(f"c{i}", f"d{i}")
            counters = camring.camera(f"c{i}")["counters"]
            assert counters["captured"] < 1000
            verify(camring)
        same.check()


def test_reload_while_cameras_are_being_opened(tmp_path):
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and says nothing
    url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
    cameras = {"a": SMALL, **{f"s{i}": url for i in range(4)}}
    with silent, running(tmp_path, cameras, max_connecting=2) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        reload(camring, {"a": SMALL, "s3": url, "b": SMALL})
        camring.wait_live("b")  # two turns were held by cameras that are gone
        assert rings(camring) == {"a", "b", "s3"}
        same.check()


def test_a_place_is_kept_until_each_process_has_let_go(tmp_path):
    """An encoder that is stopped may be about to write into the removed camera's rings."""
    with running(tmp_path, {"a": SMALL, "b": SMALL}, encoder={"workers": 2}) as camring:
        camring.wait_live("a", "b")
        encoder = camring.children("encoder")[0]
        encoder.kill(signal.SIGSTOP)
        try:
            camring.write_config({"a": SMALL}, encoder={"workers": 2})
            asked = camring.popen("reload")
            wait_for(lambda: "capture b" not in processes(camring, "capture"), 15, "b's end")
            assert rings(camring) == {"a", "b"}
            assert asked.poll() is None
        finally:
            encoder.kill(signal.SIGCONT)
        out, err = asked.communicate(timeout=30)
        assert asked.returncode == 0, (out, err)
        assert rings(camring) == {"a"}
        verify(camring)


# ---- what watches


def test_streams_of_all_cameras_take_up_new_ones(tmp_path):
    with running(tmp_path, {"a": SMALL, "b": SMALL}) as camring:
        camring.wait_live("a", "b")
        with Stream(camring.port, "/live?width=80") as live, Stream(
            camring.port, "/live?cameras=b"
        ) as named, socket.create_connection(("127.0.0.1", camring.port)) as events:
            events.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            text = events.makefile("r", encoding="utf-8", errors="replace")
            live.wait_parts(2)
            named.wait_parts(1)
            reload(camring, {"a": SMALL, "n": SMALL})
            live.wait(lambda s: any(p.headers["x-camera"] == "n" for p in s.parts), 15, "n")
            wait_for(lambda: named.ended, 5, "the end of a stream without cameras")
            assert not live.ended
            count = len(live.parts)
            live.wait_parts(count + 20)
            assert {p.headers["x-camera"] for p in live.parts[count:]} == {"a", "n"}
            joined = gone = False
            deadline = time.monotonic() + 15
            event = ""
            while not (joined and gone) and time.monotonic() < deadline:
                line = text.readline()
                event = line[7:].strip() if line.startswith("event: ") else event
                if line.startswith("data: "):
                    camera = json.loads(line[6:])["id"]
                    joined |= (event, camera) == ("camera", "n")
                    gone |= (event, camera) == ("gone", "b")
            assert joined and gone


# ---- processes


def processes(camring, kind):
    """What stays the same in a process that is left alone."""
    status = json.loads(camring.cli("status", "--json").stdout)
    return {
        p["name"]: {key: p[key] for key in ("pid", "state", "restarts")}
        for p in status["processes"]
        if p["kind"] == kind
    }


def test_workers_change(tmp_path):
    with running(tmp_path, {"a": SMALL}, http={"workers": 1}, encoder={"workers": 1}) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        answer = reload(camring, {"a": SMALL}, http={"workers": 3}, encoder={"workers": 4})
        assert answer["settings"] == ["http.workers", "encoder.workers"]
        assert len(processes(camring, "server")) == 3
        assert len(processes(camring, "encoder")) == 4
        reload(camring, {"a": SMALL}, http={"workers": 1}, encoder={"workers": 2})
        assert len(processes(camring, "encoder")) == 2

        def drained():
            states = [p["state"] for p in processes(camring, "server").values()]
            return len(states) == 1

        wait_for(drained, 10, "the end of servers without clients")
        same.check()
        verify(camring)


def test_old_clients_stay_where_the_server_listens_elsewhere(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        before, camring.port = camring.port, free_port()
        answer = reload(camring, {"a": SMALL})
        assert answer["settings"] == ["http.listen"]
        assert camring.get("/healthz")[0] == 200
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", before)).close()
            raise AssertionError("the old address is still open")
        assert [p["state"] for p in processes(camring, "server").values()].count("draining") == 1
        same.check()  # which ends the stream, and with it the old server
        wait_for(lambda: len(processes(camring, "server")) == 1, 10, "the end of the old server")


def test_the_same_port_on_another_address(tmp_path):
    """The kernel has to be told that 127.0.0.1:P and 0.0.0.0:P may both be there for a moment."""
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        own, both = f"127.0.0.1:{camring.port}", f"0.0.0.0:{camring.port}"
        for listen in (
            [both],
            [own],
            [both, f"[::1]:{free_port()}"],
            [f"localhost:{camring.port}"],
        ):
            same = Unchanged(camring, "a")
            answer = reload(camring, {"a": SMALL}, http={"listen": listen, "allow_open_bind": True})
            assert "http.listen" in answer["settings"]
            # the server of the one client that is left no longer holds the old socket
            for _ in range(20):
                assert camring.get("/healthz")[0] == 200
            states = [p["state"] for p in processes(camring, "server").values()]
            assert states.count("draining") == 1
            same.check()  # and ends the stream
            wait_for(lambda: "draining" not in str(processes(camring, "server")), 10, "its end")


def test_no_other_program_gets_an_address_that_was_to_be_given_up(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        everywhere = {"listen": f"0.0.0.0:{camring.port}", "allow_open_bind": True}
        with socket.create_server(("127.0.0.2", camring.port)):
            refused(camring, {"a": SMALL}, "in use", 1, http=everywhere)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError):
                other.bind(("127.0.0.1", camring.port))


def test_the_mode_of_a_unix_socket(tmp_path):
    path = tmp_path / "socket"
    with running(tmp_path, {"a": SMALL}) as camring:
        own = f"127.0.0.1:{camring.port}"

        def mode(value, code, *listen):
            http = {"listen": [own, f"unix:{path}", *listen], "unix_mode": value}
            reload(camring, {"a": SMALL}, code, http=http)
            return path.stat().st_mode & 0o777

        with socket.create_server(("127.0.0.1", 0)) as other:
            assert mode("0600", 0) == 0o600
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            assert mode("0666", 1, taken) == 0o600
            assert mode("0666", 0) == 0o666


def test_more_cameras_are_opened_at_once(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        opened = []

        def take():
            with contextlib.suppress(OSError):
                while True:
                    opened.append(silent.accept()[0])

        taker = threading.Thread(target=take, daemon=True)
        taker.start()
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        cameras = {f"s{i}": {"source": url, "stall_timeout": "5m"} for i in range(3)}
        with running(tmp_path, cameras, max_connecting=1) as camring:
            wait_for(lambda: len(opened) == 1, 15, "the first connection")
            answer = reload(camring, cameras, max_connecting=3)
            assert answer["settings"] == ["max_connecting"]
            wait_for(lambda: len(opened) == 3, 15, "all connections")
        silent.shutdown(socket.SHUT_RDWR)  # which ends accept
        taker.join()
        for connection in opened:
            connection.close()


def test_how_soon_the_dead_start_again_changes(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        reload(camring, {"a": SMALL}, restart={"burst": 1, "max": "200ms"})
        camring.children("capture")[0].kill()
        wait_for(lambda: "died: signal 9; starts again in 0." in camring.log(), 15, "a wait")
        wait_for(lambda: camring.camera("a")["restarts"] == 1, 15, "the restart")
        camring.wait_live("a")


def test_what_servers_know_changes(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("secret-token-of-some-length\n")
    tokens.chmod(0o600)
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        assert camring.get("/api/v1/cameras")[0] == 200
        reload(camring, {"a": SMALL}, http={"tokens_file": str(tokens)})
        assert camring.get("/api/v1/cameras")[0] == 401
        with_token = {"Authorization": "Bearer secret-token-of-some-length"}
        assert camring.get("/api/v1/cameras", headers=with_token)[0] == 200


def test_a_reload_is_done_when_old_servers_take_no_new_clients(tmp_path):
    """Who comes after that is never served by old settings."""
    with running(tmp_path, {"a": SMALL}, http={"workers": 1}) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        (old,) = camring.children("server")
        camring.write_config({"a": SMALL}, http={"workers": 1, "max_clients": 77})
        old.kill(signal.SIGSTOP)
        try:
            asked = camring.popen("reload")

            def states():
                return sorted(p["state"] for p in processes(camring, "server").values())

            wait_for(lambda: states() == ["draining", "ready"], 15, "another server")
            assert "reloaded:" not in camring.log()
        finally:
            old.kill(signal.SIGCONT)
        out, err = asked.communicate(timeout=30)
        assert asked.returncode == 0, (out, err)
        assert "reloaded:" in camring.log()
        same.check()


def test_the_log_changes(tmp_path, own_http_camera):
    camera = f"http://127.0.0.1:{own_http_camera.port}/video.mjpg"
    with running(tmp_path, {"a": camera}) as camring:
        camring.wait_live("a")
        reload(camring, {"a": camera}, log={"level": "debug", "format": "json"})
        own_http_camera.stop()  # which the capture that was there before tells

        def lines():
            text = camring.log().splitlines()
            return [json.loads(line) for line in text if line.startswith("{")]

        wait_for(lambda: any("capture" in str(line) for line in lines()), 15, "capture's own line")
        assert camring.camera("a")["restarts"] == 0
        camring.cli("restart", "a")
        wait_for(lambda: '"level":"debug"' in camring.log(), 15, "the new level")


# ---- what is refused


def refused(camring, cameras, words, code=4, **options):
    before = camring.api("cameras")["total"], processes(camring, "server")
    answer = reload(camring, cameras, code, **options)
    text = answer.get("error") or "\n".join(answer["faults"])
    assert words in text, text
    assert (camring.api("cameras")["total"], processes(camring, "server")) == before
    return text


def test_wrong_files_change_nothing(tmp_path):
    with running(tmp_path, {"a": SMALL}, max_cameras=2) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        text = refused(camring, {"a": {"source": SMALL, "jpg": 3}}, "unknown key")
        assert text.startswith(f"{camring.config}:"), text
        file, line, column, _ = text.split(":", 3)
        assert int(line) > 1 and int(column) > 0
        refused(camring, {"a": "gopher://x/"}, "source")
        refused(camring, {"a": SMALL, "b": SMALL, "c": SMALL}, "3 cameras", max_cameras=2)
        refused(camring, {"a": SMALL}, "max_cameras can't change", max_cameras=7)
        fixed = {"max_cameras": 2, "shm": {"reader_rows": 3}}
        text = refused(camring, {"a": SMALL}, "shm.reader_rows can't change", **fixed)
        _, line, column, _ = text.split(":", 3)
        whole = camring.config.read_text().splitlines()[int(line) - 1]
        assert whole[int(column) - 1 :].startswith('"reader_rows"'), text
        whole = camring.config.read_text()
        camring.config.write_text(whole[: len(whole) // 2])  # half written
        refused(camring, None, f"{camring.config}:")
        camring.config.write_text("")
        refused(camring, None, "the file is empty")
        camring.config.unlink()
        refused(camring, None, "can't read the file")
        os.mkfifo(camring.config)
        refused(camring, None, "not a file")
        camring.config.unlink()
        done = camring.cli("reload")
        assert done.returncode == 4 and str(camring.config) in done.stderr and not done.stdout
        same.check()
        verify(camring)


def test_an_address_in_use_changes_nothing(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring, socket.create_server(
        ("127.0.0.1", 0)
    ) as other:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        listen = [f"127.0.0.1:{camring.port}", f"127.0.0.1:{other.getsockname()[1]}"]
        refused(camring, {"b": SMALL}, "in use", 1, http={"listen": listen})
        # the port is the instance's own, but not at every address
        everywhere = {"listen": f"0.0.0.0:{camring.port}", "allow_open_bind": True}
        with socket.create_server(("127.0.0.2", camring.port)):
            refused(camring, {"b": SMALL}, "in use", 1, http=everywhere)
        own = f"127.0.0.1:{camring.port}"
        both = {"listen": [own, f"0.0.0.0:{camring.port}"], "allow_open_bind": True}
        refused(camring, {"b": SMALL}, "in use", 1, http=both)  # as by a start
        assert ids(camring) == ["a"]
        assert rings(camring) == {"a"}
        same.check()


def test_cameras_that_do_not_fit_change_nothing(tmp_path):
    """What is known before anything is started: pictures of that size need more memory than there
    may be."""
    with running(tmp_path, {"a": SMALL}, shm={"max_bytes": "20M"}) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        large = {"source": SMALL, "max_size": "3840x2160"}
        text = refused(
            camring, {"a": SMALL, "b": large}, "shm.max_bytes", 1, shm={"max_bytes": "20M"}
        )
        assert "need" in text
        assert rings(camring) == {"a"}
        same.check()


def test_more_cameras_than_open_files_change_nothing(instance):
    """Nor is an address kept that was opened for them."""
    limit = 300
    camring = instance({"a": SMALL})
    camring.run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    camring.wait_live("a")
    same = Unchanged(camring, "a")
    another = free_port()
    listen = {"listen": [f"127.0.0.1:{camring.port}", f"127.0.0.1:{another}"]}
    many = {"a": SMALL, **{f"c{i}": SMALL for i in range(200)}}
    refused(camring, many, "open files", 1, http=listen)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", another))
    assert rings(camring) == {"a"}
    answer = reload(camring, {"a": SMALL, "b": SMALL}, http=listen)
    assert answer["settings"] == ["http.listen"] and answer["added"] == ["b"]
    socket.create_connection(("127.0.0.1", another)).close()
    same.check()


# ---- who asks


def test_sighup_reloads_and_says_in_the_log_what_is_wrong(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        same = Unchanged(camring, "a")
        camring.config.write_text("cameras: [")
        os.kill(camring.supervisor.pid, signal.SIGHUP)
        wait_for(lambda: f"not reloaded: {camring.config}:" in camring.log(), 10, "the fault")
        camring.write_config({"a": SMALL, "b": SMALL})
        os.kill(camring.supervisor.pid, signal.SIGHUP)
        wait_for(lambda: ids(camring) == ["a", "b"], 10, "the new camera")
        same.check()


def test_many_reloads_at_once_are_each_done_whole(tmp_path):
    with running(tmp_path, {"a": SMALL, "b": SMALL}) as camring:
        camring.wait_live("a", "b")
        same = Unchanged(camring, "a")
        camring.write_config({"a": SMALL, "c": SMALL})
        answers = []
        threads = [
            threading.Thread(
                target=lambda: answers.append(camring.cli("reload", "--json", limit=60))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [a.returncode for a in answers] == [0] * 8, answers
        assert sum(json.loads(a.stdout)["added"] == ["c"] for a in answers) >= 1
        assert ids(camring) == ["a", "c"]
        verify(camring)
        same.check()


def test_a_reload_during_another_is_done_after_it(tmp_path):
    with running(tmp_path, {"a": SMALL, "b": SMALL}, encoder={"workers": 2}) as camring:
        camring.wait_live("a", "b")
        encoder = camring.children("encoder")[0]
        encoder.kill(signal.SIGSTOP)  # which keeps the first one from being done
        try:
            camring.write_config({"a": SMALL}, encoder={"workers": 2})
            first = camring.popen("reload", "--json")
            wait_for(lambda: "capture b" not in processes(camring, "capture"), 15, "b's end")
            camring.write_config({"a": SMALL, "c": SMALL}, encoder={"workers": 2})
            os.kill(camring.supervisor.pid, signal.SIGHUP)
            camring.cli("status")  # so that the signal has been handled
        finally:
            encoder.kill(signal.SIGCONT)
        out, err = first.communicate(timeout=30)
        assert first.returncode == 0 and json.loads(out)["removed"] == ["b"], (out, err)
        wait_for(lambda: ids(camring) == ["a", "c"], 15, "what the second one adds")
        verify(camring)


def test_reload_while_it_stops(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.wait_live("a")
        camring.write_config({"b": SMALL})
        asked = camring.popen("reload")
        os.kill(camring.supervisor.pid, signal.SIGTERM)
        out, err = asked.communicate(timeout=30)
        assert asked.returncode in (0, 1, 3), (out, err)
        assert camring.wait_exit() == 0


def test_without_an_instance(tmp_path):
    with running(tmp_path, {"a": SMALL}) as camring:
        camring.stop()
        done = camring.cli("reload")
        assert done.returncode == 3 and "not running" in done.stderr
        camring.run()
