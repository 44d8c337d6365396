#!/usr/bin/python3
"""chain_numpy.py INSTANCE CAMERA NAME: the external step NAME of a camera's chain, which makes
negatives of the pictures."""
import sys
import time

import camring

instance, camera, name = sys.argv[1:]
end = time.monotonic() + 20
while True:
    try:
        ring = camring.Ring(camera, instance)
        out = camring.Producer(f"{camera}.{name}", instance, rows=0, keep=True)
        break
    except camring.Error:  # they are still being made
        if time.monotonic() > end:
            raise
        time.sleep(0.02)
for number, frame in enumerate(ring):
    with frame:
        negative = [255 - plane for plane in frame.planes]
        out.publish(*negative, source=frame.number)
    if number == 0:
        print("ready", flush=True)
