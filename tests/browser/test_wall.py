"""The page for people: pictures move, a click enlarges, nothing is complained about."""
import pytest

from clips import number_in
from product import running, wait_for

CAMERAS = ["door", "yard", "roof"]
SIZE = (640, 360)


@pytest.fixture(scope="module")
def camring(tmp_path_factory):
    cameras = {name: "test:?size=%dx%d&fps=5" % SIZE for name in CAMERAS}
    with running(tmp_path_factory.mktemp("wall"), cameras) as made:
        yield made.wait_live(*CAMERAS)


@pytest.fixture
def wall(browser, camring):
    browser.open(f"http://127.0.0.1:{camring.port}/")
    wait_for(lambda: len(browser.find("#wall .card")) == len(CAMERAS), 20, "a card for each camera")
    return browser


def number_on(card):
    """What is burnt into the picture as the page shows it, small or large."""
    return number_in(card.screenshot().resize(SIZE))


def test_pictures_move(wall):
    for picture in wall.find("#wall .card .view img"):
        first = wait_for(lambda: number_on(picture), 20, "a picture")
        wait_for(lambda: (number_on(picture) or 0) > first, 20, "a newer picture")
    assert wall.complaints() == []


def test_cards_say_what_is_there(wall):
    assert [heading.text() for heading in wall.find("#wall h2")] == CAMERAS
    wait_for(lambda: [state.text() for state in wall.find("#wall .state")] == ["live"] * 3, 10, "three cameras live")
    assert "3 of 3" in wall.find("#summary")[0].text()


def test_click_opens_the_stream(wall, camring):
    wall.find("#wall .card .view")[1].click()
    wait_for(lambda: len(wall.tabs()) == 2, 10, "another tab")
    wall.switch(wall.tabs()[1])
    wait_for(lambda: wall.address() == f"http://127.0.0.1:{camring.port}/cameras/yard/stream.mjpeg", 10, "the stream's address")
    wait_for(lambda: len(set(wall.screenshot().getdata())) > 50, 20, "a picture")
    assert wall.complaints() == []


def test_policy_is_in_force(wall):
    """A page that tries what it must not is stopped, and these tests would have noticed."""
    wall.run("const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s);")
    assert wall.run("return window.broken") is None
    assert any("Content Security Policy" in complaint for complaint in wall.complaints())
