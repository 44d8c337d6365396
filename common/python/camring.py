"""camring: the frames of a camera, or of any program, through a ring in shared memory.

    import camring
    for frame in camring.Ring("door"):      # the newest frame, again and again; what there was no time for is skipped and counted
        print(frame.number, frame.array.mean())

A frame's arrays lie in the shared memory itself: nothing is copied.  They are read-only, and good until the frame is released: by the end of
its `with` block, or when the loop asks for the next one.  Copy what you keep (`frame.array.copy()`).

    with camring.Producer("mine.raw") as out:
        out.publish_i420(y, cb, cr)

Times are nanoseconds of CLOCK_MONOTONIC (time.monotonic_ns()).  Needs libcamring.so.1 and NumPy.
"""
import ctypes
import os

import numpy

__all__ = ["Error", "Frame", "Producer", "Ring"]

FORMATS = {1: "I420", 2: "I422", 3: "I444", 4: "JPEG"}
CODES = {1: "SYSTEM", 2: "ABSENT", 3: "EMPTY", 4: "ABI", 5: "CORRUPT", 6: "OWNER", 7: "SPACE", 8: "ROWS", 9: "BUSY", 10: "CLOSED", 11: "USAGE"}
_I420, _JPEG = 1, 4


class Error(Exception):
    """What camring.h calls a camring_error; `code` is its name there without the prefix, such as "ABSENT"."""

    def __init__(self, raw):
        super().__init__(raw.text.decode("utf-8", "replace"))
        self.code = CODES.get(raw.code, str(raw.code))


class _Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("text", ctypes.c_char * 508)]


class _Frame(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint64), ("source", ctypes.c_uint64), ("camera_ns", ctypes.c_int64), ("captured_ns", ctypes.c_int64),
                ("committed_ns", ctypes.c_int64), ("format", ctypes.c_uint32), ("width", ctypes.c_uint32), ("height", ctypes.c_uint32),
                ("bytes", ctypes.c_uint32), ("range", ctypes.c_uint32), ("matrix", ctypes.c_uint32), ("stride", ctypes.c_uint32 * 3),
                ("reserved", ctypes.c_uint32), ("plane", ctypes.c_void_p * 3)]


class _Stat(ctypes.Structure):
    _fields_ = [("published", ctypes.c_uint64), ("taken", ctypes.c_uint64), ("missed", ctypes.c_uint64), ("joined", ctypes.c_uint64),
                ("bytes", ctypes.c_uint64), ("age_ns", ctypes.c_int64), ("fps", ctypes.c_double), ("generation", ctypes.c_uint32),
                ("writer_alive", ctypes.c_uint32), ("slots", ctypes.c_uint32), ("rows", ctypes.c_uint32)]


def _load():
    library = ctypes.CDLL(os.environ.get("CAMRING_LIBRARY", "libcamring.so.1"))
    error, text, handle = ctypes.POINTER(_Error), ctypes.c_char_p, ctypes.c_void_p
    for name, result, *arguments in (
        ("camring_version", text),
        ("camring_attach", handle, text, text, ctypes.c_uint, error),
        ("camring_detach", None, handle),
        ("camring_next", ctypes.c_int, handle, ctypes.POINTER(_Frame), ctypes.c_int64, error),
        ("camring_release", None, handle),
        ("camring_hold", handle, handle),
        ("camring_drop", None, handle),
        ("camring_fd", ctypes.c_int, handle, error),
        ("camring_reader_stat", ctypes.c_int, handle, ctypes.POINTER(_Stat), error),
        ("camring_writer_open", handle, text, text, ctypes.c_int, ctypes.c_uint, error),
        ("camring_writer_close", None, handle, ctypes.c_int),
        ("camring_loan", handle, handle, ctypes.c_size_t, error),
        ("camring_commit", ctypes.c_int, handle, ctypes.POINTER(_Frame), error),
        ("camring_abort", None, handle),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def _name(text):
    return None if text is None else text.encode()


class _Memory:
    """Keeps a frame's memory mapped for as long as an array refers to it."""

    def __init__(self, reader):
        self._handle = _library.camring_hold(reader)

    def __del__(self):
        if self._handle:
            _library.camring_drop(self._handle)
            self._handle = None


class Frame:
    """One frame: number, source, format ("I420", "I422", "I444", "JPEG"), width, height, captured_ns, committed_ns, camera_ns, full_range, bt709.

    `planes`: Y, Cb, Cr as 2-D uint8 arrays; of a JPEG, its bytes as one 1-D array.  `array`: the first of them: a grey picture, or what
    cv2.imdecode takes."""

    def __init__(self, ring, raw):
        self._ring = ring
        self.number, self.source = raw.number, raw.source
        self.camera_ns, self.captured_ns, self.committed_ns = raw.camera_ns, raw.captured_ns, raw.committed_ns
        self.width, self.height = raw.width, raw.height
        self.format = FORMATS.get(raw.format, str(raw.format))
        self.full_range, self.bt709 = bool(raw.range), bool(raw.matrix)
        memory = _Memory(ring._handle)
        if raw.format == _JPEG:
            self.planes = [self._view(memory, raw.plane[0], (raw.bytes,), (1,))]
            return
        half_width, half_height = raw.format in (1, 2), raw.format == _I420
        self.planes = []
        for i in range(3):
            rows = (raw.height + 1) // 2 if i and half_height else raw.height
            columns = (raw.width + 1) // 2 if i and half_width else raw.width
            self.planes.append(self._view(memory, raw.plane[i], (rows, columns), (raw.stride[i], 1)))

    @staticmethod
    def _view(memory, address, shape, strides):
        size = (shape[0] - 1) * strides[0] + (shape[1] if len(shape) > 1 else 1)
        block = (ctypes.c_uint8 * size).from_address(address)
        block.memory = memory
        view = numpy.lib.stride_tricks.as_strided(numpy.frombuffer(block, numpy.uint8), shape, strides, writeable=False)
        return view

    @property
    def array(self):
        return self.planes[0]

    def i420(self):
        """A copy in the one-piece layout that cv2.cvtColor(…, cv2.COLOR_YUV2BGR_I420) takes: 3/2 height rows of width bytes (even sizes, I420)."""
        if self.format != "I420" or self.width % 2 or self.height % 2:
            raise ValueError(f"{self.format} {self.width}x{self.height} has no such layout")
        return numpy.concatenate([plane.reshape(-1) for plane in self.planes]).reshape(self.height * 3 // 2, self.width)

    def release(self):
        self._ring._release(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class Ring:
    """A reader of ring `name`: a camera id ("door": its raw frames) or a ring's own name ("door.jpeg").  observe=True takes no reader row and
    gets copies.  Iterating gives frames for ever; it ends when the ring is closed by its owner."""

    def __init__(self, name, instance=None, observe=False):
        error = _Error()
        self._held = None
        self._handle = _library.camring_attach(_name(instance), _name(name), 1 if observe else 0, error)
        if not self._handle:
            raise Error(error)

    def next(self, timeout=None):
        """The newest frame not had yet; waits up to `timeout` seconds (None: without limit).  None when time is up.  The last frame is released."""
        self._require_open()
        self._release(self._held)
        raw, error = _Frame(), _Error()
        # Ctrl-C must be heard, and Python hears it between calls.
        step = 200_000_000
        left = None if timeout is None else int(timeout * 1e9)
        while True:
            wait = step if left is None else min(step, left)
            result = _library.camring_next(self._handle, raw, wait, error)
            if result < 0:
                raise Error(error)
            if result > 0:
                self._held = Frame(self, raw)
                return self._held
            if left is not None:
                left -= wait
                if left <= 0:
                    return None

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.next()
        except Error as error:
            if error.code == "CLOSED":
                raise StopIteration from None
            raise

    def fileno(self):
        """For select, poll and asyncio's add_reader: readable while there is a frame; then call next(0) until it gives None."""
        self._require_open()
        error = _Error()
        fd = _library.camring_fd(self._handle, error)
        if fd < 0:
            raise Error(error)
        return fd

    def stat(self):
        """A dict: published, taken, missed, joined, bytes, age_ns, fps, generation, writer_alive, slots, rows."""
        self._require_open()
        stat, error = _Stat(), _Error()
        if _library.camring_reader_stat(self._handle, stat, error) < 0:
            raise Error(error)
        return {name: getattr(stat, name) for name, _ in _Stat._fields_}

    def close(self):
        if self._handle:
            _library.camring_detach(self._handle)
        self._handle = self._held = None

    def _require_open(self):
        if not self._handle:
            raise ValueError("the ring is closed")

    def _release(self, frame):
        if frame is not None and frame is self._held:
            _library.camring_release(self._handle)
            self._held = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class Producer:
    """The writer of ring `name` ("CAMERA.VARIANT"), made if it is not there; `rows` readers may attach.  Closing removes the ring unless keep=True."""

    def __init__(self, name, instance=None, jpeg=False, rows=8, keep=False):
        error = _Error()
        self._handle = None
        self._keep, self._jpeg = keep, jpeg
        self._handle = _library.camring_writer_open(_name(instance), _name(name), int(jpeg), rows, error)
        if not self._handle:
            raise Error(error)

    def publish_i420(self, y, cb, cr, source=0, captured_ns=0, full_range=False, bt709=False):
        """Publishes three 2-D uint8 arrays, chroma half as wide and high (rounded up).  Returns the frame's number."""
        planes = [numpy.asarray(plane, numpy.uint8) for plane in (y, cb, cr)]
        height, width = planes[0].shape
        half = ((height + 1) // 2, (width + 1) // 2)
        if planes[1].shape != half or planes[2].shape != half:
            raise ValueError(f"chroma planes of a {width}x{height} picture are {half[1]}x{half[0]}")
        frame = _Frame(format=_I420, width=width, height=height, source=source, captured_ns=captured_ns, camera_ns=-1, range=full_range, matrix=bt709)
        offsets = [0, planes[0].size, planes[0].size + planes[1].size]
        frame.bytes = offsets[2] + planes[2].size
        frame.stride[:] = [width, half[1], half[1]]
        return self._publish(frame, planes, offsets)

    def publish_jpeg(self, data, width, height, source=0, captured_ns=0):
        """Publishes a whole JPEG file, any bytes-like object.  Returns the frame's number."""
        data = numpy.frombuffer(data, numpy.uint8)
        frame = _Frame(format=_JPEG, width=width, height=height, bytes=data.size, source=source, captured_ns=captured_ns, camera_ns=-1, range=1)
        return self._publish(frame, [data], [0])

    def _publish(self, frame, planes, offsets):
        if not self._handle:
            raise ValueError("the producer is closed")
        error = _Error()
        address = _library.camring_loan(self._handle, frame.bytes, error)
        if not address:
            raise Error(error)
        for i, (plane, offset) in enumerate(zip(planes, offsets)):
            block = (ctypes.c_uint8 * plane.size).from_address(address + offset)
            numpy.frombuffer(block, numpy.uint8).reshape(plane.shape)[...] = plane
            frame.plane[i] = address + offset
        if _library.camring_commit(self._handle, frame, error) < 0:
            raise Error(error)
        return frame.number

    def close(self):
        if self._handle:
            _library.camring_writer_close(self._handle, 0 if self._keep else 1)
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()
