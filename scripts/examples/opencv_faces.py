"""Puts a box around each face, with OpenCV and a model of Debian's package opencv-data: a program
in the middle of a camera's chain, `external: {name: detector}`. Run it as: opencv_faces.py CAMERA
[INSTANCE]"""
import sys
import camring
import cv2

faces = cv2.CascadeClassifier("/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml")
camera, *instance = sys.argv[1:]
stage = camring.Stage(camera, "detector", *instance)
for frame in stage:
    picture = cv2.cvtColor(frame.i420(), cv2.COLOR_YUV2BGR_I420)
    for x, y, width, height in faces.detectMultiScale(frame.array, 1.2, 5, minSize=(40, 40)):
        cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 255, 0), 3)
    stage.publish(frame, cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420))
