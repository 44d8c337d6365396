"""camring: the frames of a camera, or of any program, through a ring in shared memory.

    import camring
    for frame in camring.Ring("door"):      # the newest frame, again and again; those in between
                                            # are skipped and counted
        print(frame.number, frame.array.mean())

A raw frame's arrays lie in the shared memory itself: nothing is copied. They are read-only, and
good until the frame is released: by frame.release(), by the end of its `with` block, or when the
ring is asked for the next one. Afterwards they can still be read, but the writer may be at them:
copy what you keep (frame.array.copy()). Frames of a JPEG ring, and an observer's, are copies.

Who wants several frames at once takes them:

    earlier = door.take()                   # stays what it is for as long as its arrays are there,
    later = door.take()                     # and is given back with the last of them
    print(cv2.absdiff(earlier.array, later.array).mean())

    with camring.Producer("mine") as out:   # a ring of your own, "mine.raw", removed with the block
        out.publish(y, cb, cr)

A program that is an external step of a camera's chain takes its pictures and gives them back:

    stage = camring.Stage("door", "detector")
    for frame in stage:
        stage.publish(frame, *draw_on(frame.planes))

A Ring or Producer belongs to one thread at a time, and to the process that made it: after fork make
a new one. Frames that were taken may go to any thread. Times are nanoseconds of CLOCK_MONOTONIC,
time.monotonic_ns(). What can't be done raises camring.Error; see there. Needs libcamring.so.1,
which is looked for where CAMRING_LIBRARY says, beside this file as `make install` puts it, and
where the system looks.
"""
import contextlib
import ctypes
import os
import sys
import threading
import time

import numpy

__all__ = ["Error", "Frame", "MAX_TAKEN", "Producer", "Ring", "Stage"]

MAX_TAKEN = 8  # frames that a Ring can have taken at the same time

_I420, _I422, _I444, _JPEG = 1, 2, 3, 4
_FORMATS = {_I420: "I420", _I422: "I422", _I444: "I444", _JPEG: "JPEG"}
_CODES = {
    1: "SYSTEM",
    2: "ABSENT",
    3: "EMPTY",
    4: "ABI",
    5: "CORRUPT",
    6: "OWNER",
    7: "SPACE",
    8: "ROWS",
    9: "BUSY",
    10: "CLOSED",
    11: "USAGE",
}
_OBSERVE, _READY = 1, 2
_WAIT_NS = 1_000_000_000  # a signal ends a wait; this bounds it for one that comes just before


class Error(Exception):
    """What camring(3) calls a camring_error: the text, and `code`, its name there without the
    prefix:

    ABSENT  no ring of that name            EMPTY    no frame yet (Ring(ready=True))
    OWNER   belongs to another user         ABI      made by an incompatible version
    ROWS    no row for one more reader, or for one more frame taken
    BUSY    another process writes it
    CLOSED  its owner has retired the ring  CORRUPT  its memory contradicts itself
    SPACE   not enough shared memory        SYSTEM   a system call failed
    USAGE   a bad name, a ring from before fork, more than MAX_TAKEN frames taken"""

    def __init__(self, raw):
        super().__init__(raw.text.decode("utf-8", "replace"))
        self.code = _CODES.get(raw.code, str(raw.code))


class _Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("text", ctypes.c_char * 508)]


class _Frame(ctypes.Structure):
    _fields_ = [
        ("number", ctypes.c_uint64),
        ("source", ctypes.c_uint64),
        ("camera_ns", ctypes.c_int64),
        ("captured_ns", ctypes.c_int64),
        ("committed_ns", ctypes.c_int64),
        ("format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("range", ctypes.c_uint32),
        ("matrix", ctypes.c_uint32),
        ("stride", ctypes.c_uint32 * 3),
        ("reserved", ctypes.c_uint32),
        ("plane", ctypes.c_void_p * 3),
    ]


class _Stat(ctypes.Structure):
    _fields_ = [
        ("published", ctypes.c_uint64),
        ("taken", ctypes.c_uint64),
        ("missed", ctypes.c_uint64),
        ("joined", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("age_ns", ctypes.c_int64),
        ("fps", ctypes.c_double),
        ("generation", ctypes.c_uint32),
        ("writer_alive", ctypes.c_uint32),
        ("slots", ctypes.c_uint32),
        ("rows", ctypes.c_uint32),
        ("readers", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 5),
    ]


def _find():
    installed = os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "libcamring.so.1"
    )
    return os.environ.get("CAMRING_LIBRARY") or (
        installed if os.path.exists(installed) else "libcamring.so.1"
    )


def _load():
    try:
        library = ctypes.CDLL(_find())
    except OSError as error:
        raise ImportError(f"camring needs its library: {error}") from None
    error, text, handle = ctypes.POINTER(_Error), ctypes.c_char_p, ctypes.c_void_p
    for name, result, *arguments in (
        ("camring_version", text),
        ("camring_set_name", None, text),
        ("camring_attach", handle, text, text, ctypes.c_uint, error),
        ("camring_detach", None, handle),
        ("camring_next", ctypes.c_int, handle, ctypes.POINTER(_Frame), ctypes.c_int64, error),
        ("camring_release", None, handle),
        ("camring_take", ctypes.c_int, handle, ctypes.POINTER(_Frame), ctypes.c_int64, error),
        ("camring_give", None, handle, ctypes.POINTER(_Frame)),
        ("camring_hold", handle, handle),
        ("camring_drop", None, handle),
        ("camring_fd", ctypes.c_int, handle, error),
        ("camring_reader_stat", ctypes.c_int, handle, ctypes.POINTER(_Stat), error),
        ("camring_writer_open", handle, text, text, ctypes.c_int, ctypes.c_uint, error),
        ("camring_writer_close", None, handle, ctypes.c_int),
        ("camring_loan", handle, handle, ctypes.c_size_t, error),
        ("camring_commit", ctypes.c_int, handle, ctypes.POINTER(_Frame), error),
        ("camring_abort", None, handle),
        ("camring_writer_stat", ctypes.c_int, handle, ctypes.POINTER(_Stat), error),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()
__version__ = _library.camring_version().decode()


def _program():
    """The script's name, under which readers show, rather than "python3"; of a package that is run,
    the package's."""
    path = sys.argv[0] if sys.argv and sys.argv[0] not in ("-c", "-m") else ""
    folder, name = os.path.split(path)
    return os.path.basename(folder) if name == "__main__.py" else name


_library.camring_set_name(os.fsencode(_program()))


def _name(text):
    name = None if text is None else os.fsencode(text)
    if name and b"\0" in name:  # the library would take what stands before it
        raise ValueError("a name with a null character in it")
    return name


def _shapes(format, width, height):
    """(rows, columns) of each plane."""
    columns = width if format == _I444 else (width + 1) // 2
    rows = (height + 1) // 2 if format == _I420 else height
    return (height, width), (rows, columns), (rows, columns)


class _Handle:
    """A handle of the library's, which is only used by one call at a time: else it would be the end
    of the process."""

    def __init__(self):
        self._handle = None
        self._lock = threading.Lock()
        self._user = None  # the thread that has the lock
        self._close_late = False

    @contextlib.contextmanager
    def _use(self):
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"this {type(self).__name__} is being used by another thread")
        try:
            self._user = threading.get_ident()
            if not self._handle:
                raise ValueError(f"this {type(self).__name__} is closed")
            yield self._handle
        finally:
            self._user = None
            self._lock.release()
            if self._close_late:
                self.close()

    def close(self):
        """Ends it, with what it has in hand. Does nothing if that has been done. A signal's handler
        may do so."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        elif self._user in (
            None,
            threading.get_ident(),
        ):  # a handler, in the middle of another call, or on the way into or out of one
            self._close_late = True
            return
        if self._handle:
            with self._use() as handle:
                self._handle = None
                self._free(handle)

    def _stat(self, function):
        raw, error = _Stat(), _Error()
        with self._use() as handle:
            if function(handle, raw, error) < 0:
                raise Error(error)
        return {name: getattr(raw, name) for name, _ in _Stat._fields_ if name != "reserved"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class _Memory:
    """Keeps a frame's memory readable for as long as an array refers to it."""

    def __init__(self, reader):
        self._handle = _library.camring_hold(reader)
        if not self._handle:
            raise MemoryError

    def __del__(self, drop=_library.camring_drop):
        if self._handle:
            drop(self._handle)
            self._handle = None


class _Taken:
    """Gives a frame back, if there is one, when no array refers to it any more; the library keeps
    its reader until then."""

    def __init__(self, reader, raw):
        self._reader, self._raw = reader, raw

    def __del__(self, give=_library.camring_give):
        give(self._reader, self._raw)


class Frame:
    """One frame: number, source (number of the frame it was made from, 0: none), format ("I420",
    "I422", "I444", "JPEG"), width, height, captured_ns, committed_ns, camera_ns (-1: none),
    full_range, bt709.

    `planes`: Y, Cb, Cr as 2-D uint8 arrays; of a JPEG, its bytes as one 1-D array. `array`: the
    first of them: a grey picture, or what cv2.imdecode takes. As a context manager it is released
    at the end.

    A frame that was taken (Ring.take) has no arrays any more once it is released; those that are
    still referred to elsewhere keep it from the writer."""

    def __init__(self, ring, raw, memory):
        self._ring = ring  # None: taken
        self.number, self.source = raw.number, raw.source
        self.camera_ns, self.captured_ns, self.committed_ns = (
            raw.camera_ns,
            raw.captured_ns,
            raw.committed_ns,
        )
        self.width, self.height = raw.width, raw.height
        self.format = _FORMATS[raw.format]
        self.full_range, self.bt709 = bool(raw.range), bool(raw.matrix)
        if raw.format == _JPEG:
            self._planes = (self._view(memory, raw.plane[0], (1, raw.bytes), raw.bytes)[0],)
        else:
            shapes = _shapes(raw.format, raw.width, raw.height)
            self._planes = tuple(
                self._view(memory, *plane) for plane in zip(raw.plane, shapes, raw.stride)
            )

    @staticmethod
    def _view(memory, address, shape, stride):
        block = (ctypes.c_uint8 * ((shape[0] - 1) * stride + shape[1])).from_address(address)
        block.memory = memory
        return numpy.lib.stride_tricks.as_strided(
            numpy.frombuffer(block, numpy.uint8), shape, (stride, 1), writeable=False
        )

    @property
    def planes(self):
        if not self._planes:
            raise ValueError("this frame was given back")
        return self._planes

    @property
    def array(self):
        return self.planes[0]

    def i420(self):
        """A copy in the one-piece layout that cv2.cvtColor(…, cv2.COLOR_YUV2BGR_I420) takes: 3/2
        height rows of width bytes (even sizes, I420)."""
        if self.format != "I420" or self.width % 2 or self.height % 2:
            raise ValueError(f"{self.format} {self.width}x{self.height} has no such layout")
        return numpy.concatenate([plane.reshape(-1) for plane in self.planes]).reshape(
            self.height * 3 // 2, self.width
        )

    def release(self):
        """Gives the frame back.  Does nothing if that has been done."""
        if self._ring:
            self._ring._release(self)
        else:
            self._planes = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def __repr__(self):
        return f"<camring.Frame {self.number} {self.format} {self.width}x{self.height}>"


class Ring(_Handle):
    """A reader of ring `name`: a camera id ("door": its raw frames) or a ring's own name
    ("door.jpeg"), of camring's `instance` (default: "camring"). Iterating gives the newest frame,
    for ever; it ends when the owner retires the ring, or when a signal's handler closes this.

    observe=True takes no reader row: it does not count as a reader, and gets copies.
    ready=True raises Error EMPTY if there is no frame yet, instead of waiting for the first one
    later."""

    def __init__(self, name, instance=None, observe=False, ready=False):
        super().__init__()
        # The number of the frame in hand, not the frame itself: that refers to this object, and a
        # circle of references would keep both alive until the garbage collector runs.
        self._held = None
        error = _Error()
        self._handle = _library.camring_attach(
            _name(instance), _name(name), observe * _OBSERVE | ready * _READY, error
        )
        if not self._handle:
            raise Error(error)

    def next(self, timeout=None):
        """The newest frame not had yet; waits up to `timeout` seconds for it (None: without limit).
        None when time is up. Releases the last one."""

        def get(handle, left):
            raw = _Frame()
            _library.camring_release(handle)
            self._held = None
            if not self._get(_library.camring_next, handle, raw, left):
                return None
            self._held = raw.number
            return Frame(self, raw, _Memory(handle))

        return self._wait(get, timeout)

    def take(self, timeout=None):
        """The newest frame not had yet, as next() waits for it, beside what next() and take() gave
        before. It is given back when it is released and no array of it is referred to any more, in
        whatever thread that is, and whether this is closed by then or not. At most MAX_TAKEN at a
        time, else Error USAGE; of a raw ring each beyond the first needs one more reader row (Error
        ROWS) and memory for a slot (Error SPACE)."""

        def get(handle, left):
            raw = _Frame()
            taken = _Taken(handle, raw)  # first: an exception may come in between
            if not self._get(_library.camring_take, handle, raw, left):
                return None
            return Frame(None, raw, taken)

        return self._wait(get, timeout)

    @staticmethod
    def _get(function, handle, raw, left):
        error = _Error()
        result = function(handle, raw, left, error)
        if result < 0:
            raise Error(error)
        return result > 0

    def _wait(self, get, timeout):
        deadline = None if timeout is None else time.monotonic_ns() + int(timeout * 1e9)
        while True:
            left = _WAIT_NS if deadline is None else max(0, deadline - time.monotonic_ns())
            with self._use() as handle:
                frame = get(handle, min(left, _WAIT_NS))
            if frame or left == 0:
                return frame

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.next()
        except (Error, ValueError) as error:
            if self._close_late or getattr(error, "code", None) == "CLOSED":
                raise StopIteration from None
            raise

    def fileno(self):
        """For select, poll and asyncio's add_reader: readable while there is a frame; then call
        next(0) until it gives None."""
        error = _Error()
        with self._use() as handle:
            fd = _library.camring_fd(handle, error)
        if fd < 0:
            raise Error(error)
        return fd

    def stat(self):
        """A dict: published, taken, missed, joined, bytes, age_ns, fps, generation, writer_alive,
        slots, rows, readers; see camring(3)."""
        return self._stat(_library.camring_reader_stat)

    def _free(self, handle):
        self._held = None
        _library.camring_detach(handle)

    def _release(self, frame):
        if frame.number == self._held:
            with self._use() as handle:
                _library.camring_release(handle)
                self._held = None


class Producer(_Handle):
    """The writer of ring `name` ("CAMERA" or "CAMERA.VARIANT"), made if it is not there; `rows`
    readers may attach (0: it is not made, Error ABSENT). jpeg=True: it carries JPEG files. Closing
    removes the ring unless keep=True.

    The publishing methods copy the picture into the ring and return its number. They take, all
    optional, `source`: number of the frame that this one was made from; `captured_ns`: when that
    came in (default: now); `camera_ns`: the source's own time stamp.
    """

    def __init__(self, name, instance=None, jpeg=False, rows=8, keep=False):
        super().__init__()
        self._keep = keep
        error = _Error()
        self._handle = _library.camring_writer_open(
            _name(instance), _name(name), int(jpeg), rows, error
        )
        if not self._handle:
            raise Error(error)

    def publish(self, y, cb, cr, full_range=False, bt709=False, **times):
        """Publishes three 2-D uint8 arrays; the size of chroma says whether it is I420, I422 or
        I444 (halves are rounded up)."""
        planes = [_pixels(plane, 2) for plane in (y, cb, cr)]
        height, width = planes[0].shape
        for format in (_I420, _I422, _I444):
            if _shapes(format, width, height) == tuple(plane.shape for plane in planes):
                break
        else:
            raise ValueError(
                f"planes of {', '.join(str(plane.shape) for plane in planes)} "
                "are no I420, I422 or I444 picture"
            )
        return self._publish(
            _Frame(format=format, width=width, height=height, range=full_range, matrix=bt709),
            planes,
            times,
        )

    def publish_i420(self, image, full_range=False, bt709=False, **times):
        """Publishes a picture as cv2.cvtColor(…, cv2.COLOR_BGR2YUV_I420) gives it: a 2-D uint8
        array of 3/2 height rows of width bytes (even sizes)."""
        image = _pixels(image, 2)
        rows, width = image.shape
        height = rows * 2 // 3
        if width % 2 or height % 2 or height * 3 != rows * 2:
            raise ValueError(f"{image.shape} is no I420 picture of even size in one piece")
        chroma = image[height:].reshape(2, height // 2, width // 2)
        return self.publish(image[:height], chroma[0], chroma[1], full_range, bt709, **times)

    def publish_jpeg(self, data, width, height, **times):
        """Publishes a whole JPEG file, any bytes-like object."""
        data = _pixels(numpy.frombuffer(data, numpy.uint8), 1)
        return self._publish(
            _Frame(format=_JPEG, width=width, height=height, bytes=data.size, range=1),
            [data],
            times,
        )

    def _publish(self, frame, planes, times):
        frame.source, frame.captured_ns, frame.camera_ns = _times(**times)
        error = _Error()
        with self._use() as handle:
            _library.camring_abort(handle)  # a loan that an exception cut short
            at = _library.camring_loan(handle, sum(plane.size for plane in planes), error)
            if not at:
                raise Error(error)
            for i, plane in enumerate(planes):
                block = (ctypes.c_uint8 * plane.size).from_address(at)
                numpy.copyto(numpy.frombuffer(block, numpy.uint8).reshape(plane.shape), plane)
                frame.plane[i], frame.stride[i] = at, plane.shape[-1]
                at += plane.size
            if _library.camring_commit(handle, frame, error) < 0:
                raise Error(error)
        return frame.number

    def stat(self):
        """A dict: published, bytes, age_ns, fps, generation, slots, rows, readers (attached now)
        and more; see camring(3)."""
        return self._stat(_library.camring_writer_stat)

    def _free(self, handle):
        _library.camring_writer_close(handle, not self._keep)


class Stage:
    """The program's end of the external step `name` of a camera's chain. Iterating gives the newest
    picture that the step has for the program, for ever: while camring, or the step, is not there,
    it waits for that. One program at a time can have a step: else Error BUSY.

    publish() gives a picture back, made from a frame of this. As a context manager it is closed at
    the end; a signal's handler may do so, too, which ends the iteration."""

    _LOOK_S = 1  # how long a program may go on reading the raw ring when steps come before its own

    def __init__(self, camera, name, instance=None):
        self._raw, self._name, self._instance = f"{camera}.raw", f"{camera}.{name}", instance
        self._ring = self._producer = None
        self._closed = False
        self._look_at = 0  # when to look whether the step has got a ring of its own to read

    def _open(self):
        """True if both rings are there."""
        try:
            if not self._producer:
                self._producer = Producer(self._name, self._instance, rows=0, keep=True)
            if not self._ring:
                self._ring = self._input() or Ring(self._raw, self._instance)
        except Error as error:
            if error.code not in ("ABSENT", "CLOSED"):
                raise
            return False
        return True

    def _input(self):
        """A reader of the ring of the steps before this one; None: there are none."""
        self._look_at = time.monotonic() + self._LOOK_S
        try:
            return Ring(f"{self._name}-in", self._instance)
        except Error as error:
            if error.code not in ("ABSENT", "CLOSED"):
                raise
            return None

    def _next(self):
        if not self._open():
            time.sleep(0.1)
            return None
        if time.monotonic() >= self._look_at and (ring := self._input()):
            self._ring.close()
            self._ring = ring
        return self._ring.next(self._LOOK_S)

    def __iter__(self):
        return self

    def __next__(self):
        while not self._closed:
            try:
                if frame := self._next():
                    return frame
            except Error as error:
                if error.code != "CLOSED":
                    raise
                self._let_go()
            except ValueError:  # closed by a signal's handler, as it waited
                if not self._closed:
                    raise
        raise StopIteration

    def publish(self, frame, *picture):
        """Gives back a picture made from `frame`: three planes, as Producer.publish takes them, or
        one array, as Producer.publish_i420 does. Number, times, range and matrix are the frame's.
        False: the step is not there any more."""
        send = self._producer and (
            self._producer.publish if len(picture) > 1 else self._producer.publish_i420
        )
        try:
            return bool(
                send
                and send(
                    *picture,
                    full_range=frame.full_range,
                    bt709=frame.bt709,
                    source=frame.source or frame.number,
                    captured_ns=frame.captured_ns,
                    camera_ns=frame.camera_ns,
                )
            )
        except Error as error:
            if error.code != "CLOSED":
                raise
            self._let_go()
            return False

    def _let_go(self):
        for end in self._ring, self._producer:
            if end:
                end.close()
        self._ring = self._producer = None

    def close(self):
        """Gives the step up. Does nothing if that has been done."""
        self._closed = True
        self._let_go()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _pixels(array, dimensions):
    array = numpy.asarray(array)
    if array.dtype != numpy.uint8 or array.ndim != dimensions or array.size == 0:
        raise ValueError(
            f"wanted are {dimensions}-D arrays of uint8, not {array.dtype} {array.shape}"
        )
    return array


def _times(source=0, captured_ns=0, camera_ns=-1):
    return source, captured_ns, camera_ns
