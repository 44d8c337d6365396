"""Chromium, driven through chromedriver by plain WebDriver requests."""
import base64
import contextlib
import io
import json
import subprocess
import urllib.error
import urllib.request

from PIL import Image

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--window-size=1280,900",
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Driver:
    """A chromedriver of our own."""

    def __init__(self):
        self._process = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for line in self._process.stdout:
            if "started successfully on port" in line:
                self.url = f"http://127.0.0.1:{line.split()[-1].rstrip('.')}"
                return
        raise AssertionError("chromedriver did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)
        self._process.stdout.close()

    @contextlib.contextmanager
    def browser(self, profile):
        """A browser with nothing in its memory."""
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        # A page that is a stream never finishes loading, so nothing may wait for that.
        wanted = {
            "pageLoadStrategy": "none",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        session = request("POST", f"{self.url}/session", {"capabilities": {"alwaysMatch": wanted}})[
            "sessionId"
        ]
        try:
            yield Browser(f"{self.url}/session/{session}")
        finally:
            request("DELETE", f"{self.url}/session/{session}")


def request(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, method=method), timeout=20
        ) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(
            f"{method} {url}: {error.read().decode(errors='replace')[:500]}"
        ) from None


class Browser:
    def __init__(self, url):
        self._url = url

    def _get(self, path):
        return request("GET", self._url + path)

    def _post(self, path, **body):
        return request("POST", self._url + path, body)

    def open(self, url):
        self._post("/url", url=url)

    def address(self):
        return self._get("/url")

    def run(self, script, *arguments):
        return self._post("/execute/sync", script=script, args=list(arguments))

    def find(self, selector):
        """The elements that a CSS selector selects."""
        found = self._post("/elements", using="css selector", value=selector)
        return [Element(self, one[ELEMENT]) for one in found]

    def screenshot(self):
        return Image.open(io.BytesIO(base64.b64decode(self._get("/screenshot")))).convert("RGB")

    def reload(self):
        self._post("/refresh")

    def back(self):
        self._post("/back")

    def type(self, keys):
        """Presses keys, each once, wherever the focus is."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])

    def devtools(self, command, **params):
        return self._post("/goog/cdp/execute", cmd=command, params=params)

    def new_tab(self, kind="tab"):
        """Opens one and goes there. The one before is hidden then, unless the new one is a "window"
        of its own."""
        self.switch(self._post("/window/new", type=kind)["handle"])

    def tabs(self):
        return self._get("/window/handles")

    def current(self):
        return self._get("/window")

    def switch(self, tab):
        self._post("/window", handle=tab)

    def complaints(self):
        """What the console shows as an error or a warning since the last call: violations of the
        policy, too."""
        return [
            entry["message"]
            for entry in self._post("/se/log", type="browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]


class Element:
    def __init__(self, browser, name):
        self._browser, self._path = browser, f"/element/{name}"

    def click(self):
        self._browser._post(self._path + "/click")

    def text(self):
        return self._browser._get(self._path + "/text")

    def screenshot(self):
        data = self._browser._get(self._path + "/screenshot")
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
