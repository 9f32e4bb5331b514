"""The picture of the README: the top of the demo's report as Chromium draws it, in few colours.

    ta demo && python docs/pictures/report.py runs/demo/report/index.html

Needs `chromium` on the path.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
SIZE = (1100, 1295)
"""Width and height in pixels: down to the end of the table of verdicts."""
COLOURS = 32


def draw(page: Path, picture: Path) -> None:
    """Write the top of a page as a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE[0]},{SIZE[1]}"]
        call = ["chromium", *options, f"--screenshot={shot}", page.resolve().as_uri()]
        subprocess.run(call, check=True, stderr=subprocess.DEVNULL)
        Image.open(shot).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), HERE / "report.png")
