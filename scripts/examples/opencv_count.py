"""Prints how many things move in a camera's pictures: opencv_count.py CAMERA [INSTANCE]"""
import sys
import camring
import cv2

before = None
for frame in camring.Ring(*sys.argv[1:]):
    # Reads the pixels where they lie in shared memory.
    picture = cv2.GaussianBlur(frame.array, (9, 9), 0)
    if before is not None and before.shape == picture.shape:
        moved = cv2.threshold(cv2.absdiff(before, picture), 25, 255, cv2.THRESH_BINARY)[1]
        things = cv2.findContours(moved, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        print(frame.number, len(things), flush=True)
    before = picture
