"""A program in a container of its own reads frames, and goes on when camring is restarted."""
import json
import re

import pytest

from app import LIMIT
from product import wait_for


@pytest.fixture(scope="module")
def both(engine, tmp_path_factory):
    from app import App

    one = App(engine, tmp_path_factory.mktemp("both"), program=True).up()
    try:
        yield one.await_healthy()
    finally:
        print(one.said("program"))
        one.down()


def frames(both):
    """The numbers of the frames that the program has told of."""
    return [int(number) for number in re.findall(r"^(\d+) \d+$", both.said("program"), re.M)]


def goes_on(both):
    seen = len(frames(both))
    wait_for(lambda: len(frames(both)) >= seen + 3, LIMIT, "frames in the program")


def readers(both):
    """How many of the program read the camera's frames, as camring knows it."""
    rings = json.loads(both.inside("camring", "shm", "list", "--json"))["rings"]
    names = [row["name"] for ring in rings if ring["name"] == "demo.raw" for row in ring["readers"]]
    return sum(name.startswith("example_watch") for name in names)


def test_it_reads_frames_in_place(both):
    goes_on(both)
    assert readers(both) == 1


def test_a_restart_of_camring(both):
    goes_on(both)
    before = both.state("program")["Pid"]
    code, out = both.compose("restart", "camring")
    assert code == 0, out
    both.await_healthy()
    goes_on(both)
    assert both.state("program")["Pid"] == before


def test_a_killed_camring(both, engine):
    """Its memory is left behind as it was; the next one makes its own."""
    goes_on(both)
    before = both.state("program")["Pid"]
    killed = both.state()["Pid"]
    engine.kill(killed)
    wait_for(lambda: both.state()["Pid"] not in (0, killed), LIMIT, "another camring")
    both.await_healthy()
    goes_on(both)
    assert both.state("program")["Pid"] == before


def test_a_killed_program(both, engine):
    """camring gives its row to the next one."""
    goes_on(both)
    killed = both.state("program")["Pid"]
    engine.kill(killed)
    wait_for(lambda: both.state("program")["Pid"] not in (0, killed), LIMIT, "another program")
    goes_on(both)
    wait_for(lambda: readers(both) == 1, LIMIT, "one reader")
    assert both.healthy()


def test_it_is_confined(both, engine):
    host = engine.inspect(both.name("program"))["HostConfig"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["NetworkMode"] == "none"
