"""Puts boxes around what moves, with NumPy alone: a program in the middle of a camera's chain,
`external: {name: detector}`. Run it as: numpy_motion.py CAMERA [INSTANCE]"""
import sys
import camring
import numpy

CELL = 16  # pixels: side of the squares that are compared; four lines make a box
YELLOW = 210, 16, 146  # as Y, Cb, Cr

camera, *instance = sys.argv[1:]
usual = None  # the brightness of each cell, as it mostly is
stage = camring.Stage(camera, "detector", *instance)
for frame in stage:
    down, right = (size // CELL for size in frame.array.shape)
    cells = frame.array[: down * CELL, : right * CELL].reshape(down, CELL, right, CELL)
    cells = cells.mean((1, 3), numpy.float32)
    usual = cells if usual is None or usual.shape != cells.shape else usual
    moves = abs(cells - usual) > 12
    usual = usual + 0.05 * (cells - usual)
    picture = [plane.copy() for plane in frame.planes]
    # Each run of columns in which something moves, from one edge to the next, gets a box.
    edges = numpy.diff(moves.any(0), prepend=False, append=False).nonzero()[0]
    for left, end in edges.reshape(-1, 2):
        rows = moves[:, left:end].any(1).nonzero()[0]
        for plane, colour in zip(picture, YELLOW):
            v, h = (CELL * a // b for a, b in zip(plane.shape, frame.array.shape))
            box = plane[rows[0] * v : (rows[-1] + 1) * v, left * h : end * h]
            box[: v // 4] = box[-(v // 4) :] = box[:, : h // 4] = box[:, -(h // 4) :] = colour
    stage.publish(frame, *picture)
