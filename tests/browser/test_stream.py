"""Chromium shows the newest picture of a stream, not the one before."""
import time

import pytest

from clips import number_in, read_number
from multipart import Stream
from product import running, wait_for

SIZE = (640, 360)


@pytest.fixture(scope="module")
def camring(tmp_path_factory):
    """One picture a second: time enough to look at each."""
    with running(
        tmp_path_factory.mktemp("browser"), {"cam": "test:?size=%dx%d&fps=1" % SIZE}
    ) as made:
        yield made.wait_live("cam")


def show(browser, camring, path):
    """A page with nothing but the stream, of the same origin: others need a permission to show what
    is on this machine."""
    browser.open(f"http://127.0.0.1:{camring.port}/healthz")
    wait_for(
        lambda: browser.run("return location.pathname == '/healthz' && document.readyState")
        == "complete",
        20,
        "the page",
    )
    browser.run(
        "const image = new Image(); image.src = arguments[0];"
        "image.style.position = 'fixed'; image.style.left = image.style.top = 0; "
        "document.body.replaceChildren(image);",
        path,
    )


def shown_number(browser):
    return number_in(browser.screenshot().crop((0, 0, *SIZE)))


def lags(browser, camring, count):
    """How far what is shown is behind what was sent, half a second after it was."""
    found = []
    with Stream(camring.port, "/cameras/cam/stream.mjpeg?headers=length") as stream:
        wait_for(lambda: shown_number(browser) is not None, 20, "a picture on the page")
        while len(found) < count:
            seen = len(stream.wait_parts(len(stream.parts) + 1).parts)
            time.sleep(0.5)
            shown = shown_number(browser)
            if (
                len(stream.parts) == seen
            ):  # else looking took so long that another one came meanwhile
                found.append(read_number(stream.parts[-1].body) - shown)
    return found


@pytest.mark.parametrize("path", ["/cameras/cam/stream.mjpeg", "/stream", "/?action=stream"])
def test_shows_the_newest(browser, camring, path):
    show(browser, camring, path)
    assert lags(browser, camring, 4) == [0] * 4


def test_would_be_one_behind(browser, camring):
    """What the header in advance is for; if this fails, Chromium has learnt it."""
    show(browser, camring, "/cameras/cam/stream.mjpeg?headers=length")
    assert lags(browser, camring, 4) == [1] * 4


def test_stream_as_a_page_of_its_own(browser, camring):
    browser.open(f"http://127.0.0.1:{camring.port}/cameras/cam/stream.mjpeg")

    def number():
        try:
            picture = browser.screenshot()
        except AssertionError:  # the browser is on its way to the page
            return 0
        left, top = (picture.width - SIZE[0]) // 2, (picture.height - SIZE[1]) // 2
        return number_in(picture.crop((left, top, left + SIZE[0], top + SIZE[1]))) or 0

    first = wait_for(number, 20, "a picture")
    wait_for(lambda: number() > first, 20, "a newer picture")
