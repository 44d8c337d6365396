"""Prints a camera's brightness about once a second, and goes on when camring is restarted:
example_watch.py CAMERA [INSTANCE]"""
import sys
import time
import camring

while True:
    try:
        with camring.Ring(*sys.argv[1:]) as ring:
            while frame := ring.next(timeout=5):  # none for so long: is the ring still the same?
                print(frame.number, round(frame.array.mean()), flush=True)
                frame.release()
                time.sleep(1)
    except camring.Error as error:
        print(error, file=sys.stderr, flush=True)
        time.sleep(1)
