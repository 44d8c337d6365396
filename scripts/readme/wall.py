#!/usr/bin/python3
"""wall.py: makes wall.png, the picture in README.md, from the page of a real instance with built-in
test cameras, one of which cannot be reached. Needs what `make test-browser` needs, and `make`."""
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/browser")]

from PIL import Image  # noqa: E402

from product import running, wait_for  # noqa: E402
from webdriver import Driver  # noqa: E402

LIVE = ("door", "garden", "gate", "hall", "parking", "yard")
COLOURS = 64


def main():
    cameras = {name: "test:?size=640x360&fps=15" for name in LIVE}
    cameras["workshop"] = "rtsp://127.0.0.1:9/stream1"
    with tempfile.TemporaryDirectory() as folder, Driver() as driver:
        folder = pathlib.Path(folder)
        with running(folder, cameras) as camring, driver.browser(folder / "profile") as browser:
            camring.wait_live(*LIVE)
            browser.open(f"http://127.0.0.1:{camring.port}/")
            wait_for(lambda: len(browser.find("#wall .tile")) == len(cameras), 30, "all tiles")
            time.sleep(30)  # so that the curves have something to show
            picture = browser.screenshot()
    picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.LANCZOS)
    picture.quantize(COLOURS).save(pathlib.Path(__file__).with_name("wall.png"), optimize=True)


if __name__ == "__main__":
    main()
