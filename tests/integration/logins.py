"""Users and tokens: files for http.users_file and http.tokens_file, and the headers that go with
them."""
import base64
import os
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crypt

FAST = "$2b$04$abcdefghijklmnopqrstuu"  # bcrypt, about a millisecond
SLOW = "$6$rounds=1500000$saltsalt"  # SHA-512, about a second


def hash_of(password, setting=FAST):
    return crypt.crypt(password, setting)


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def write_users(path, users, setting=FAST):
    """Puts the file there in one step, as a program that writes such files does."""
    replace(
        path, "".join(f"{name}:{hash_of(password, setting)}\n" for name, password in users.items())
    )


def replace(path, text):
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    os.rename(draft, path)
