"""Fixtures: clips and cameras."""
import os

import pytest

from box import Box
from clips import Clips
from product import Source

pytest_plugins = ["hooks"]


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    return Clips(os.environ.get("CAMRING_CLIPS") or tmp_path_factory.mktemp("clips"))


def _source(script, clip, *options):
    source = Source(script, clip, *options)
    yield source
    source.stop()


@pytest.fixture(scope="session")
def http_camera(clips):
    """An HTTP camera with every behaviour of http_camera.py, 720p."""
    yield from _source("http_camera.py", clips.mjpeg())


@pytest.fixture(scope="session")
def rtsp_camera(clips):
    """An RTSP camera, 720p."""
    yield from _source("rtsp_camera.py", clips.h264())


@pytest.fixture(scope="session")
def locked_rtsp_camera(clips):
    """An RTSP camera that wants viewer:Xy7-open."""
    yield from _source("rtsp_camera.py", clips.small_h264(), "--user", "viewer:Xy7-open")


@pytest.fixture
def box(tmp_path):
    box = Box(tmp_path)
    yield box
    box.close()


@pytest.fixture
def own_http_camera(clips):
    """One to be stopped and started by the test."""
    yield from _source("http_camera.py", clips.small_mjpeg())


@pytest.fixture
def own_rtsp_camera(clips):
    yield from _source("rtsp_camera.py", clips.small_h264())
