"""An external step that frames what moves: example_stage.py CAMERA STEP [INSTANCE]

The camera's configuration has `chain: [external: {name: STEP}]`."""
import sys

import camring
import numpy

MOVES = 25  # by how many levels a pixel must change

stage = camring.Stage(*sys.argv[1:])
before = None
for frame in stage:
    y, cb, cr = (plane.copy() for plane in frame.planes)  # the frame itself is read-only
    if before is not None and before.shape == y.shape:
        moved = numpy.abs(y.astype(numpy.int16) - before) > MOVES
        rows, columns = numpy.flatnonzero(moved.any(1)), numpy.flatnonzero(moved.any(0))
        if rows.size:
            top, bottom, left, right = rows[0], rows[-1], columns[0], columns[-1]
            y[top : bottom + 1, [left, right]] = 235
            y[[top, bottom], left : right + 1] = 235
    before = frame.array.copy()
    stage.publish(frame, y, cb, cr)
