"""The wall behind a login, TLS and a proxy's path, all at once: the page's own requests have to get
through as well."""
import pytest

from logins import write_users
from product import running, wait_for
from test_tls import make_certificate, trusting
from test_wall import wait_moving

CAMERAS = {name: "test:?size=320x180&fps=5" for name in ("a", "b")}


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("locked")
    cert, _ = make_certificate(folder)
    write_users(folder / "users", {"me": "Ux4-pass"})
    http = {
        "users_file": "users",
        "tls": {"cert": "cert.pem", "key": "cert-key.pem"},
        "base_path": "/cams",
    }
    with running(folder, CAMERAS, tls=trusting(cert), http=http) as camring:
        yield camring


@pytest.mark.parametrize("user", ["me:Ux4-pass@", ""])
def test_wall(browser, locked, user):
    """The user's name may stand in the address; one who has logged in once needs not say it
    again."""
    browser.devtools("Security.setIgnoreCertificateErrors", ignore=True)
    browser.open(f"https://me:Ux4-pass@127.0.0.1:{locked.port}/cams")
    wait_for(lambda: len(browser.find("#wall .tile")) == 2, 30, "a card for each camera")
    browser.open(f"https://{user}127.0.0.1:{locked.port}/cams/")
    wait_for(lambda: len(browser.find("#wall .tile")) == 2, 30, "a card for each camera")
    for name in CAMERAS:
        wait_moving(browser, name)
    faults = [
        line
        for line in browser.complaints()
        if "401" in line or "Content Security" in line or "credentials" in line
    ]
    assert not faults
