"""The wall in a real browser: every camera's own picture, moving, over one connection; enlarging,
keys, filters; what happens when the server goes away; phones, dark and light; nothing is complained
about and nobody else is asked."""
import base64
import contextlib
import io
import os
import re
import signal
import subprocess
import time

import pytest
from PIL import Image

from clips import Clips, number_in
from product import Source, free_port, running, wait_for

CAMERAS = [f"cam-{i:02}" for i in range(30)]
SIZE = (320, 180)


@pytest.fixture(scope="module")
def camring(tmp_path_factory):
    cameras = {name: "test:?size=%dx%d&fps=5" % SIZE for name in CAMERAS}
    with running(tmp_path_factory.mktemp("wall"), cameras) as made:
        yield made.wait_live(*CAMERAS)


def resize(browser, width, height, mobile=False):
    browser.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=mobile,
    )


def prefer(browser, scheme):
    browser.devtools(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )


def show(browser, camring, cards=None, path="/"):
    browser.open(f"http://127.0.0.1:{camring.port}{path}")
    if cards is not None:
        wait_for(lambda: len(browser.find("#wall .tile")) == cards, 30, "a card for each camera")
    return browser


@pytest.fixture
def wall(browser, camring):
    resize(browser, 1280, 900)
    return show(browser, camring, len(CAMERAS))


CANVAS = """
const canvas = document.querySelector(
    arguments[0] ? `[data-id="${arguments[0]}"] canvas` : '#viewer canvas');
return canvas && canvas.width > 1 ? canvas.toDataURL() : null;
"""


def picture(browser, name=None):
    """What is on the canvas of a tile, or of the enlarged camera; None if nothing is."""
    data = browser.run(CANVAS, name)
    return (
        Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB")
        if data
        else None
    )


def number_on(browser, name=None, size=SIZE):
    """`size`: of the camera's pictures."""
    shown = picture(browser, name)
    return shown and number_in(shown.resize(size))


def wait_moving(browser, name=None, limit=20, size=SIZE):
    first = wait_for(lambda: number_on(browser, name, size), limit, f"a picture of {name}")
    wait_for(
        lambda: (number_on(browser, name, size) or 0) > first, limit, f"a newer picture of {name}"
    )


def title_on(image):
    """The camera's name as it is drawn, as an image to compare."""
    return image.resize(SIZE).crop((0, 33, 120, 60)).convert("1").tobytes()


def sent(camring):
    """How much the server has sent on each of its connections, by the other end's address."""
    lines = subprocess.run(
        ["ss", "-Htin", "sport", "=", f":{camring.port}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(
        r"^ESTAB +\d+ +\d+ +\S+ +(\S+).*\n\s.*?bytes_sent:(\d+)", lines, re.MULTILINE
    )
    return {address: int(count) for address, count in found}


def busy_connections(camring):
    """Those on which pictures go: in three seconds more than the answers to the page's
    questions."""
    before = sent(camring)
    time.sleep(3)
    return [
        address
        for address, count in sent(camring).items()
        if count - before.get(address, 0) > 200_000
    ]


def streams(camring):
    return sum(camera["viewers"] for camera in camring.api("cameras")["cameras"])


def requests(browser):
    return browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")


def hash_of(browser):
    return browser.address().partition("#")[2]


@pytest.mark.limit(240)
def test_thirty_cameras_on_one_connection(wall, camring):
    """All in view at once, each shows its own moving picture."""
    resize(wall, 2400, 1800)
    names = {}
    for name in CAMERAS:
        wait_moving(wall, name)
        with Image.open(io.BytesIO(camring.get(f"/cameras/{name}/snapshot.jpg")[2])) as snapshot:
            names[name] = title_on(snapshot), title_on(picture(wall, name))
    for name, (expected, shown) in names.items():
        differing = sum(bin(a ^ b).count("1") for a, b in zip(expected, shown))
        assert differing <= 12, f"{name}: another camera's picture"
    assert len({expected for expected, _ in names.values()}) == len(CAMERAS)
    assert wait_for(lambda: streams(camring) == len(CAMERAS), 10, "one viewer for each camera")
    assert len(busy_connections(camring)) == 1 and len(sent(camring)) <= 6, sent(camring)
    live = [url for url in requests(wall) if "/live?" in url]
    assert all(url.startswith(f"http://127.0.0.1:{camring.port}/") for url in requests(wall))
    assert len(live) <= 4 and wall.complaints() == []


def test_cards_say_what_is_there(wall):
    assert [name.text() for name in wall.find("#wall .name")] == CAMERAS
    wait_for(lambda: wall.find("#summary")[0].text() == "30 of 30 live", 10, "the summary")
    wait_for(
        lambda: re.fullmatch(r"[45](\.\d)? fps", wall.find("#wall .fps")[0].text()), 10, "the rate"
    )
    wait_for(lambda: re.fullmatch(r"\d+ ms", wall.find("#wall .age")[0].text()), 10, "the age")
    curve = "return document.querySelector('#wall .spark path.line').getAttribute('d')"
    wait_for(lambda: (wall.run(curve) or "").startswith("M"), 10, "a curve")


def test_a_click_enlarges(wall, camring):
    wait_moving(wall, "cam-01")
    wall.find('[data-id="cam-01"] .tile')[0].click()
    wait_for(lambda: wall.find("#viewer[open]"), 10, "the viewer")
    assert hash_of(wall) == "cam-01"
    wait_moving(wall)
    assert (
        wall.find("#viewer h2")[0].text() == "cam-01"
        and wall.find("#viewer .state")[0].text() == "live"
    )
    wait_for(lambda: streams(camring) == 1, 10, "that only one camera is watched")
    wait_for(lambda: re.fullmatch(r"\d+ ms", wall.find("#viewer dd.age")[0].text()), 10, "the age")
    wall.find("#viewer .back")[0].click()
    wait_for(lambda: not wall.find("#viewer[open]") and hash_of(wall) == "", 10, "the wall again")
    wait_moving(wall, "cam-01")
    assert wall.complaints() == []


def test_keys(wall):
    """From the search field to a camera, through the cameras and back, without a mouse."""
    wall.type("/")
    wait_for(
        lambda: wall.run("return document.activeElement.id") == "search", 5, "the search field"
    )
    wall.type("\ue004" * 4)  # Tab: past the buttons
    assert wall.run("return document.activeElement.getAttribute('href')") == "#cam-00"
    assert wall.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    wall.type("\ue014\ue014")  # right
    assert wall.run("return document.activeElement.getAttribute('href')") == "#cam-02"
    wall.type("\ue015")  # down: one row
    columns = wall.run(
        "const style = getComputedStyle(document.getElementById('wall'));"
        "return style.gridTemplateColumns.split(' ').length"
    )
    assert (
        wall.run("return document.activeElement.getAttribute('href')") == f"#cam-{2 + columns:02}"
    )
    wall.type("\ue011")  # Home
    wall.type("\ue007")  # Enter
    wait_for(lambda: hash_of(wall) == "cam-00" and wall.find("#viewer[open]"), 5, "the viewer")
    wall.type("\ue014")
    wait_for(lambda: hash_of(wall) == "cam-01", 5, "the next camera")
    wait_moving(wall)
    assert wall.find("#viewer h2")[0].text() == "cam-01"
    wall.type("\ue012\ue012")  # left, and there is none before the first
    wait_for(lambda: hash_of(wall) == "cam-00", 5, "the camera before")
    wall.type("\ue00c")  # Escape
    wait_for(lambda: not wall.find("#viewer[open]") and hash_of(wall) == "", 5, "the wall")
    assert wall.run("return document.activeElement.getAttribute('href')") == "#cam-00"
    assert wall.complaints() == []


def test_keys_at_the_end_of_the_list(wall, camring):
    """The button for the next camera can't be used any more there; keys can."""
    show(wall, camring, 30, "/#cam-28")
    wait_for(lambda: wall.find("#viewer[open]"), 10, "the viewer")
    wall.type("\ue004\ue004")  # Tab
    assert wall.run("return document.activeElement.className") == "next"
    wall.type("\ue007")  # Enter
    wait_for(
        lambda: hash_of(wall) == "cam-29" and not wall.find("#viewer .next:enabled"),
        5,
        "the last camera",
    )
    wall.run(
        "return new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
    )  # until the focus is where it will be
    wall.type("\ue012")  # left
    wait_for(lambda: hash_of(wall) == "cam-28", 5, "the camera before")


def test_reload_and_back(wall, camring):
    show(wall, camring, path="/#cam-29")
    wait_for(lambda: wall.find("#viewer[open]"), 20, "the viewer")
    wait_moving(wall)
    wall.reload()
    wait_for(lambda: wall.find("#viewer[open]"), 20, "the viewer after a reload")
    assert wall.find("#viewer h2")[0].text() == "cam-29"
    wall.find("#viewer .back")[0].click()
    wait_for(lambda: hash_of(wall) == "", 10, "the wall")
    wall.find('[data-id="cam-02"] .tile')[0].click()
    wait_for(lambda: wall.find("#viewer[open]"), 10, "the viewer")
    wall.back()
    wait_for(lambda: not wall.find("#viewer[open]"), 10, "the wall after going back")
    show(wall, camring, path="/#nobody")
    wait_for(
        lambda: len(wall.find("#wall .tile")) == 30 and hash_of(wall) == "",
        20,
        "the wall in place of an unknown camera",
    )


def shown_cards(browser):
    return browser.run(
        "const cards = [...document.querySelectorAll('#wall > li:not([hidden])')];"
        "return cards.map(card => card.dataset.id)"
    )


def test_search(wall):
    wall.find("#search")[0].click()
    wall.type("CAM-2")
    assert shown_cards(wall) == [f"cam-2{i}" for i in range(10)]
    wait_moving(wall, "cam-29")
    wall.type("x")
    wait_for(
        lambda: wall.find("#empty")[0].text().startswith("No camera matches"), 5, "the message"
    )
    assert shown_cards(wall) == []
    wall.find("#empty button")[0].click()
    assert shown_cards(wall) == CAMERAS
    wait_moving(wall, "cam-00")
    assert wall.complaints() == []


def test_dark_and_light(wall):
    """What the system prefers, until somebody chooses; that is remembered."""

    def dark():
        red, green, blue = map(
            int,
            re.findall(r"\d+", wall.run("return getComputedStyle(document.body).backgroundColor"))[
                :3
            ],
        )
        return red + green + blue < 200

    for scheme in ("dark", "light"):
        prefer(wall, scheme)
        wait_for(lambda: dark() == (scheme == "dark"), 5, scheme)
    wall.find("#theme")[0].click()
    assert dark()
    wall.reload()
    wait_for(lambda: len(wall.find("#wall .tile")) == 30, 20, "the page again")
    assert dark()


CONTRAST = """
const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
function mixed(colours) {
  for (const colour of colours) {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
  }
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function light(colour) {
  const [r, g, b] = colour.map(value => value / 255)
    .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(element) {
  const backs = [];
  let opacity = 1;
  for (let each = element; each; each = each.parentElement) {
    backs.unshift(getComputedStyle(each).backgroundColor);
    opacity *= getComputedStyle(each).opacity;
  }
  const back = mixed(backs), text = mixed([...backs, getComputedStyle(element).color]);
  const blend = text.map((value, i) => value * opacity + back[i] * (1 - opacity));
  const [dark, bright] = [light(back), light(blend)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}
return [...document.querySelectorAll(arguments[0] + ' *')]
  .filter(element => [...element.childNodes].some(
    node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()))
  .filter(element => !element.disabled && element.checkVisibility({ visibilityProperty: true }))
  .map(element => [contrast(element), element.textContent]);
"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_can_be_read(wall, scheme):
    """4.5 to 1 is what the guidelines for accessible pages ask for."""
    prefer(wall, scheme)
    wait_for(lambda: wall.run("return document.documentElement.dataset.theme") == scheme, 5, scheme)
    wait_moving(wall, "cam-00")
    wall.run("document.getAnimations().forEach(animation => animation.finish())")
    texts = wall.run(CONTRAST, "body")
    wall.find('[data-id="cam-00"] .tile')[0].click()
    wait_for(lambda: wall.find("#viewer[open]"), 10, "the viewer")
    wait_moving(wall)
    texts += wall.run(CONTRAST, "#viewer")
    assert len(texts) > 60
    assert not [text for text in texts if text[0] < 4.5]


@pytest.mark.parametrize("path", ["/", "/#cam-03"])
@pytest.mark.parametrize("width", [320, 390])
def test_phone(browser, camring, width, path):
    resize(browser, width, 844, mobile=True)
    show(browser, camring, 30, path)
    wait_moving(browser, None if "#" in path else "cam-00")
    assert browser.run("return [document.documentElement.scrollWidth, innerWidth]") == [
        width,
        width,
    ]
    assert browser.run("return document.getElementById('viewer').scrollWidth") <= width
    seen = number_in(browser.screenshot().crop(box_of(browser, path)).resize(SIZE))
    assert seen is not None, "not what a person would see"


def test_phone_on_its_side(browser, camring):
    """The enlarged picture is about as high as the screen."""
    resize(browser, 844, 390, mobile=True)
    show(browser, camring, 30, "/#cam-03")
    wait_moving(browser)
    left, top, right, bottom = box_of(browser, "/#cam-03")
    assert min(right - left, (bottom - top) * 16 / 9) > 500 and bottom <= 390
    assert browser.run("return document.getElementById('viewer').scrollWidth") <= 844


def box_of(browser, path):
    selector = "#viewer .stage" if "#" in path else "#wall .view"
    box = browser.run(
        "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [b.left, b.top, b.right, b.bottom];",
        selector,
    )
    return tuple(round(edge) for edge in box)


def test_a_hidden_tab_asks_for_nothing(wall, camring):
    wait_moving(wall, "cam-00")
    tab = wall.tabs()[0]
    wall.new_tab()
    wait_for(lambda: streams(camring) == 0, 20, "that nobody watches")
    wall.switch(tab)
    wait_for(lambda: streams(camring) > 0, 20, "that somebody watches again")
    wait_moving(wall, "cam-00")


@pytest.mark.limit(300)
def test_many_windows(instance, browser):
    """Each shows its pictures and what is known of the cameras, although a browser makes only six
    connections to a server."""
    camring = instance({"cam": "test:?size=320x180&fps=2"}).run().wait_live("cam")
    windows = []
    for _ in range(5):
        if windows:
            browser.new_tab("window")
        windows.append(browser.current())
        show(browser, camring)
        wait_for(lambda: browser.find("#wall .tile"), 60, f"a card in window {len(windows)}")
    wait_for(lambda: streams(camring) == 5, 60, "a viewer for each window")
    for window in windows:
        browser.switch(window)
        wait_moving(browser, "cam")
        wait_for(
            lambda: "5 viewers" in browser.find("#wall .viewers")[0].text(),
            60,
            "that the page knows of all five",
        )
        assert not browser.find("body > .trouble:not([hidden])")


def test_policy_is_in_force(wall):
    """A page that tries what it must not is stopped, and these tests would have noticed."""
    wall.run(
        "const s = document.createElement('script');"
        "s.textContent = 'window.broken = 1'; document.body.append(s);"
    )
    assert wall.run("return window.broken") is None
    assert any("Content Security Policy" in complaint for complaint in wall.complaints())


@pytest.mark.limit(180)
def test_comes_back_by_itself(browser, camring):
    """The server dies: the page says so and shows the pictures again once its successor is
    there."""
    resize(browser, 1280, 900)
    show(browser, camring, 30)
    wait_moving(browser, "cam-00")
    assert not browser.find("body > .trouble:not([hidden])")
    [server] = camring.children("server")
    os.kill(camring.supervisor.pid, signal.SIGSTOP)  # it can't start another one yet
    try:
        os.kill(server.pid, signal.SIGKILL)
        wait_for(lambda: browser.find("body > .trouble:not([hidden])"), 15, "the message")
        assert "Connection lost" in browser.find("body > .trouble")[0].text()
    finally:
        os.kill(camring.supervisor.pid, signal.SIGCONT)
    wait_for(
        lambda: not browser.find("body > .trouble:not([hidden])"), 40, "the end of the message"
    )
    wait_moving(browser, "cam-00")


NOT_FOUND = """
window.here = true;
window.before = window.fetch;
window.fetch = async () => new Response('404 page not found', { status: 404 });
"""


@pytest.mark.limit(180)
def test_a_proxy_that_does_not_find_the_server(instance, browser):
    """Some answer 404 then: the page stays and goes on when the server is found again."""
    camring = (
        instance({"cam": "test:?size=320x180&fps=5"}, restart={"burst": 50}).run().wait_live("cam")
    )
    show(browser, camring, 1)
    wait_moving(browser, "cam")
    browser.run(NOT_FOUND)
    camring.children("server")[0].kill()
    wait_for(lambda: browser.find("body > .trouble:not([hidden])"), 20, "the message")
    wait_for(lambda: "404" in browser.find("body > .trouble")[0].text(), 20, "the status")
    browser.run("window.fetch = window.before")
    wait_for(
        lambda: not browser.find("body > .trouble:not([hidden])"), 40, "the end of the message"
    )
    wait_moving(browser, "cam")
    assert browser.run("return window.here"), "the page was loaded anew"


def test_changes_are_told_not_asked_for(instance, browser, tmp_path):
    """A page that can ask nothing any more still hears of a camera that goes and returns."""
    source = Source("http_camera.py", Clips(tmp_path).small_mjpeg())
    try:
        camring = (
            instance({"cam": f"http://127.0.0.1:{source.port}/video.mjpg"}).run().wait_live("cam")
        )
        show(browser, camring, 1)
        card = browser.find('[data-id="cam"]')[0]
        wait_for(lambda: "fps" in card.text() and "CPU" in card.text(), 20, "rate and CPU")
        browser.run("window.fetch = () => Promise.reject(new TypeError('not now'));")
        source.stop()
        wait_for(lambda: "away" in card.text(), 20, "that it is away")
        source.start()
        wait_for(lambda: "fps" in card.text(), 30, "that it is back")
    finally:
        source.stop()


def test_cameras_join_and_leave(instance, browser):
    """A reload of the configuration is seen on the page, which itself is not loaded anew."""
    camera = "test:?size=320x180&fps=5"
    camring = instance({"stays": camera, "leaves": camera}).run().wait_live("stays", "leaves")
    resize(browser, 1280, 900)
    show(browser, camring, 2)
    wait_moving(browser, "leaves")
    browser.run("window.loadedOnce = true;")
    camring.write_config({"joins": camera, "stays": camera})
    assert camring.cli("reload").returncode == 0
    wait_for(lambda: sorted(shown_cards(browser)) == ["joins", "stays"], 20, "the other tiles")
    wait_moving(browser, "joins")
    wait_moving(browser, "stays")
    wait_for(lambda: "2 of 2 live" in browser.find("#summary")[0].text(), 20, "the summary")
    browser.find('[data-id="joins"] .tile')[0].click()
    wait_for(lambda: hash_of(browser) == "joins", 10, "the enlarged camera")
    camring.write_config({"stays": camera})
    assert camring.cli("reload").returncode == 0
    wait_for(lambda: hash_of(browser) == "", 20, "the wall again")
    wait_for(lambda: shown_cards(browser) == ["stays"], 20, "one tile")
    wait_moving(browser, "stays")
    assert browser.run("return window.loadedOnce") is True
    # the browser itself notes that the stream of a camera that is gone is not there
    assert [text for text in browser.complaints() if "404" not in text] == []


@pytest.mark.limit(180)
def test_one_camera_away_and_one_ended(instance, browser, tmp_path):
    clip = Clips(tmp_path).mp4()
    cameras = {
        "fine": "test:?size=320x180&fps=5",
        "gone": f"rtsp://127.0.0.1:{free_port()}/cam",
        "film": {"source": f"file:{clip}"},
    }
    camring = instance(cameras).run().wait_live("fine")
    camring.wait_state("gone", "away")
    resize(browser, 1280, 900)
    show(browser, camring, 3)
    wait_for(lambda: "1 away" in browser.find("#summary")[0].text(), 20, "the summary")
    gone = browser.find('[data-id="gone"]')[0]
    assert "away" in gone.text() and "refused" in gone.text()
    wait_for(
        lambda: "ended" in browser.find('[data-id="film"]')[0].text(), 60, "the end of the film"
    )
    wait_for(lambda: picture(browser, "gone"), 20, "the placeholder")
    for state, expected in (
        ("live", ["fine"]),
        ("away", ["gone"]),
        ("other", ["film"]),
        ("", list(cameras)),
    ):
        browser.find(f'#states input[value="{state}"] + span')[0].click()
        wait_for(lambda: shown_cards(browser) == expected, 5, f"the cameras that are {state}")
    browser.find('[data-id="gone"] .tile')[0].click()
    wait_for(
        lambda: browser.find("#viewer aside .why")
        and "refused" in browser.find("#viewer aside .why")[0].text(),
        10,
        "the cause",
    )
    assert browser.complaints() == []


def test_pictures_are_as_large_as_they_are_shown(instance, browser):
    names = ["one", "two", "three"]
    camring = (
        instance({name: "test:?size=1280x720&fps=5" for name in names}).run().wait_live(*names)
    )
    resize(browser, 1280, 900)
    show(browser, camring, 3)

    def width(name=None):
        shown = picture(browser, name)
        return shown and shown.width

    wait_for(
        lambda: [width(name) for name in names] == [640] * 3,
        20,
        "pictures as wide as the tiles, about",
    )
    wait_moving(browser, "two", size=(1280, 720))
    for wanted in (320, 640):
        for _ in range(6):
            browser.find("#smaller" if wanted == 320 else "#larger")[0].click()
            if wait_for_no_longer(lambda: width("one") == wanted, 2):
                break
        assert width("one") == wanted
    browser.find('[data-id="two"] .tile')[0].click()
    wait_for(lambda: width() == 1280, 20, "the picture as the camera has it")
    assert browser.complaints() == []


def wait_for_no_longer(check, limit):
    with contextlib.suppress(AssertionError):
        return wait_for(check, limit, "")
    return False


@pytest.mark.limit(300)
def test_loads_more_as_one_scrolls(instance, browser):
    """250 cameras: cards come as one scrolls, and only what is in view is asked for."""
    names = [f"c{i:03}" for i in range(250)]
    camring = instance({name: "test:?size=160x120&fps=1" for name in names}).run()
    camring.wait_live(names[0], names[-1], limit=120)
    resize(browser, 1280, 900)
    show(browser, camring)

    def cards():
        return len(browser.find("#wall .tile"))

    first = wait_for(cards, 30, "cards")
    assert first < 150
    wait_moving(browser, names[0])
    watched = int(sum(page_viewers(camring)))
    assert 0 < watched < 60, watched
    more = first
    while more < 250:
        browser.run("window.scrollTo(0, document.documentElement.scrollHeight)")
        more = wait_for(lambda: cards() > more and cards(), 20, f"more than {more} cards")
    assert [name.text() for name in browser.find("#wall .name")][-1] == names[-1]
    browser.run("window.scrollTo(0, document.documentElement.scrollHeight)")
    wait_moving(browser, names[-1], 40)
    wait_for(
        lambda: page_viewers(camring)[0] == 0, 20, "that the first camera is not watched any more"
    )
    assert browser.complaints() == []


def page_viewers(camring):
    found, cursor = [], None
    while True:
        page = camring.api("cameras" + (f"?cursor={cursor}" if cursor else ""))
        found += [camera["viewers"] for camera in page["cameras"]]
        cursor = page["next"]
        if not cursor:
            return found
