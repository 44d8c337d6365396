#!/usr/bin/python3
"""demo.py: makes demo.png, the picture with which README.md begins, from the page of `make demo`.
Needs what `make test-browser` needs, and `make`."""
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/browser")]

import numpy  # noqa: E402
from PIL import Image  # noqa: E402

from product import wait_for  # noqa: E402
from webdriver import Driver  # noqa: E402

COLOURS = 256
BOX = (400, 500), (150, 260)  # height and width of one around a hand with a bottle, in pixels


def good(browser):
    """A screenshot with a box around a hand with a bottle, or None."""
    picture = browser.screenshot()
    pixels = numpy.asarray(picture).astype(int)
    yellow = (pixels[..., :2] > 200).all(2) & (pixels[..., 2] < 90)
    rows, columns = yellow.any(1).nonzero()[0], yellow.any(0).nonzero()[0]
    if not len(rows):
        return None
    sides = rows[-1] - rows[0], columns[-1] - columns[0]
    fits = all(least < side < most for side, (least, most) in zip(sides, BOX))
    return picture if fits else None


def main():
    demo = subprocess.Popen(
        [sys.executable, "-B", ROOT / "scripts/demo.py", ROOT / "build"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = next(line for line in demo.stdout if "look at" in line).split()[3].rstrip(";")
        with tempfile.TemporaryDirectory() as folder, Driver() as driver:
            with driver.browser(pathlib.Path(folder) / "profile") as browser:
                browser.open(f"{url}#table")
                picture = wait_for(lambda: good(browser), 120, "a box around a hand")
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate()
    picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.LANCZOS)
    picture.quantize(COLOURS).save(pathlib.Path(__file__).with_name("demo.png"), optimize=True)


if __name__ == "__main__":
    main()
