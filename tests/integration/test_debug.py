"""What --debug watches for: frames that are not given back."""
import re
import time

import pytest

from multipart import Stream
from product import running, wait_for
from shmtool import HOLD, READ, TAKE, needs_library, program

pytestmark = needs_library
LIMIT = 30  # seconds until a line is in the log; generous, for busy machines

# Takes a frame, and gives it back when told to.
HOLD_A_WHILE = """
reader = camring.Ring("door", instance=instance)
frame = next(iter(reader))
print("ready", flush=True)
sys.stdin.readline()
frame.release()
print("released", flush=True)
time.sleep(1000)
"""

# Publishes JPEGs whose slots are on loan nearly all the time, and then keeps one for good.
LOAN = """
import numpy
copyto, pause = numpy.copyto, 0.03
def slow_copyto(*arguments):
    time.sleep(pause)
    copyto(*arguments)
numpy.copyto = slow_copyto
producer = camring.Producer("mine.jpeg", instance=instance, jpeg=True, rows=2)
for _ in range(150):
    producer.publish_jpeg(b"\\xff\\xd8" + bytes(1000), 64, 48)
print("ready", flush=True)
pause = 1000
producer.publish_jpeg(b"\\xff\\xd8" + bytes(1000), 64, 48)
"""


@pytest.fixture(scope="module")
def debugged(tmp_path_factory):
    """One with cameras of all kinds, so that a line about a process of its own would be seen."""
    cameras = {"door": "test:?size=320x240&fps=25", "slow": "test:?size=320x240&fps=1"}
    with running(tmp_path_factory.mktemp("debug"), cameras, debug=True) as camring:
        yield camring.wait_live(*cameras)


def lines(camring, pid):
    return [line for line in camring.log().splitlines() if f"process {pid} " in line]


def test_a_reader_that_holds(debugged):
    with program(debugged.instance, HOLD_A_WHILE) as holder, program(
        debugged.instance, READ.format(ring="door")
    ) as other:
        wait_for(lambda: lines(debugged, holder.pid), LIMIT, "a line about the reader")
        time.sleep(3)  # it is told once
        (line,) = lines(debugged, holder.pid)
        match = re.search(
            rf"warn supervisor: door\.raw: process {holder.pid} \(\S+\) holds frame \d+, "
            r"for ([\d.]+) s until now$",
            line,
        )
        assert match and 2 <= float(match[1]) < 2 + LIMIT, line
        holder.tell("give it back")
        assert holder.line() == "released"
        wait_for(lambda: len(lines(debugged, holder.pid)) == 2, LIMIT, "a line about its end")
        match = re.search(
            r"holds frame \d+ no more, after ([\d.]+) s$", lines(debugged, holder.pid)[1]
        )
        assert match and float(match[1]) >= 4, lines(debugged, holder.pid)
        assert not lines(debugged, other.pid)  # takes and gives back frame after frame


def test_a_reader_that_holds_several(debugged):
    with program(debugged.instance, TAKE.format(ring="door", count=3)) as holder:
        wait_for(lambda: len(lines(debugged, holder.pid)) == 3, LIMIT, "a line for each frame")
        told = [
            re.search(rf"process {holder.pid} \(\S+\) holds frame (\d+), for ", line)[1]
            for line in lines(debugged, holder.pid)
        ]
        assert sorted(told, key=int) == holder.line().split()


def test_a_writer_that_keeps_its_loan(debugged):
    with program(debugged.instance, LOAN) as writer:
        assert not lines(debugged, writer.pid)  # a slot that is on loan nearly always
        wait_for(lambda: lines(debugged, writer.pid), LIMIT, "a line about the writer")
        assert re.search(
            rf"mine\.jpeg: process {writer.pid} \(its writer\) has slot \d+ on loan, for [\d.]+ s",
            lines(debugged, writer.pid)[0],
        )


def test_its_own_processes_are_not_accused(debugged):
    with Stream(debugged.port, "/cameras/door/stream.mjpeg?width=160") as stream:
        stream.collect(5)
    own = "|".join(str(process.pid) for process in debugged.children())
    assert not re.search(rf"(process ({own})|an encoder) .*(holds frame|on loan)", debugged.log())


def test_nothing_is_said_without_debug(instance):
    camring = instance({"door": "test:?size=320x240&fps=25"}).run().wait_live("door")
    with program(camring.instance, HOLD.format(ring="door")) as holder:
        time.sleep(4)
        assert not lines(camring, holder.pid)
