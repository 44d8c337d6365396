#!/usr/bin/python3
"""An RTSP camera for tests: plays an Annex B H.264 file at a steady rate, for ever, through
GStreamer's RTSP server.

    rtsp_camera.py CLIP.h264 [--port N] [--fps 30] [--user NAME:PASSWORD] [--tls CERT KEY]
                   [--only-udp]

Prints "ready PORT"; the picture is at /cam.  The clip's access units must begin with delimiters."""
import argparse
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PIPELINE = (
    "( appsrc name=camera is-live=true do-timestamp=true format=time max-bytes=0 "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
NAL_IDR, NAL_DELIMITER = 5, 9


def nal_units(data):
    """(offset of the start code, type) of each NAL unit."""
    at = data.find(b"\0\0\1")
    while at >= 0 and at + 3 < len(data):
        yield (at - 1 if at and data[at - 1] == 0 else at), data[at + 3] & 31
        at = data.find(b"\0\0\1", at + 3)


def access_units(data):
    """[(bytes, is a key frame)]"""
    starts = [at for at, kind in nal_units(data) if kind == NAL_DELIMITER]
    units = [data[a:b] for a, b in zip(starts, starts[1:] + [len(data)])]
    return [(unit, any(kind == NAL_IDR for _, kind in nal_units(unit))) for unit in units]


class Camera:
    """Hands each picture to everyone who watches; a new watcher's first one is a key frame."""

    def __init__(self, clip, fps):
        with open(clip, "rb") as file:
            self.units = access_units(file.read())
        self.fps = fps
        self.lock = threading.Lock()
        self.waiting, self.watching = [], []

    def add(self, source):
        with self.lock:
            self.waiting.append(source)

    def remove(self, source):
        with self.lock:
            self.waiting = [s for s in self.waiting if s is not source]
            self.watching = [s for s in self.watching if s is not source]

    def play(self):
        begin, at = time.monotonic(), 0
        while True:
            time.sleep(max(0, begin + at / self.fps - time.monotonic()))
            unit, key = self.units[at % len(self.units)]
            with self.lock:
                if key:
                    self.watching += self.waiting
                    self.waiting = []
                now = list(self.watching)
            for source in now:
                source.emit("push-buffer", Gst.Buffer.new_wrapped(unit))
            at += 1


def protect(server, factory, login, tls):
    """`login`: None, or "user:password".  `tls`: None, or [certificate, key] in PEM."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if login:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*login.split(":", 1)), token)
    else:
        auth.set_default_token(token)
    if tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*tls))
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clip")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--user")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--only-udp", action="store_true")
    args = parser.parse_args()
    Gst.init(None)
    camera = Camera(args.clip, args.fps)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    factory.set_latency(0)

    def on_media(_, media):
        source = media.get_element().get_by_name("camera")
        camera.add(source)
        media.connect("unprepared", lambda _: camera.remove(source))

    factory.connect("media-configure", on_media)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    if args.user or args.tls:
        protect(server, factory, args.user, args.tls)
    if args.only_udp:
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    threading.Thread(target=camera.play, daemon=True).start()
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
