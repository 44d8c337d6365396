"""What README.md shows."""
import re

from product import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def section(title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)^## ", README, re.M | re.S)[1]


def commands():
    """Without comments, and each on one line."""
    shown = re.sub(r" *\\\n *", " ", "".join(blocks("sh")))
    lines = [line.partition(" #")[0].strip() for line in shown.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
