"""Debian's Chromium without a window: pictures of pages, what it asked for, how wide they came out."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.tools import require_tool, run_tool

_PROGRAM: Final = "chromium-headless-shell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture without its colours, as it is printed in black and white."""

    width: int
    height: int
    grey: bytes
    """A byte for each pixel: 0 is black."""

    def share(self, least: int, most: int) -> float:
        """Tell how much of it is as bright as that."""
        return sum(1 for value in self.grey if least <= value <= most) / len(self.grey)


def take_picture(page: Path, folder: Path, *, width: int, height: int, dark: bool = False) -> Picture:
    """Show a page and take a picture of it."""
    target = folder / f"{width}{'-dark' if dark else ''}.png"
    theme = ("--blink-settings=preferredColorScheme=0",) if dark else ()
    _run(
        folder, f"--window-size={width},{height}", "--hide-scrollbars", f"--screenshot={target}", *theme, page.as_uri()
    )
    return _read_png(target.read_bytes())


def measure_width(page: str, folder: Path, *, width: int) -> int:
    """Tell how wide the content of a page is that is shown in a frame of some width: more than that where it is cut off."""
    from html import escape

    frame = folder / "frame.html"
    # Without its policy, which forbids even this page to look into it.
    inner = page.replace("Content-Security-Policy", "X-Left-Out")
    frame.write_text(
        f'<!doctype html><meta charset="utf-8"><iframe id="f" style="border:0;width:{width}px;height:900px" '
        f'srcdoc="{escape(inner)}"></iframe><p id="told"></p><script>f.onload=()=>{{'
        "told.textContent='width='+f.contentDocument.documentElement.scrollWidth+'.'}</script>"
    )
    shown = _run(
        folder,
        "--window-size=1600,1000",
        "--hide-scrollbars",
        "--virtual-time-budget=2000",
        "--dump-dom",
        frame.as_uri(),
    )
    return int(shown.rpartition('<p id="told">width=')[2].partition(".")[0])


def _run(folder: Path, *argv: str) -> str:
    # Its sandbox is not for root, whom continuous integration is as a rule; pages here are our own.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    profile = f"--user-data-dir={folder / 'profile'}"
    quiet = ("--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
    return run_tool(require_tool(_PROGRAM), *sandbox, profile, *quiet, *argv, timeout_s=120)


def _read_png(data: bytes) -> Picture:
    """Read a PNG of 8 bits without interlace, as Chromium writes it."""
    width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    assert (depth, interlace) == (8, 0)
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    packed, place = bytearray(), 8
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + size]
        place += size + 12
    raw, stride = zlib.decompress(packed), width * channels
    before, grey = bytearray(stride), bytearray()
    for row in range(height):
        start = row * (stride + 1)
        line = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, channels)
        grey += _grey(line, channels)
        before = line
    return Picture(width=width, height=height, grey=bytes(grey))


def _unfilter(kind: int, line: bytearray, above: bytearray, channels: int) -> bytearray:
    for place in range(len(line)):
        left = line[place - channels] if place >= channels else 0
        up = above[place]
        corner = above[place - channels] if place >= channels else 0
        if kind == 1:
            line[place] = (line[place] + left) & 255
        elif kind == 2:
            line[place] = (line[place] + up) & 255
        elif kind == 3:
            line[place] = (line[place] + (left + up) // 2) & 255
        elif kind == 4:
            near = min(
                (abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner)
            )
            line[place] = (line[place] + near[2]) & 255
    return line


def _grey(line: bytearray, channels: int) -> bytes:
    if channels < 3:
        return bytes(line[::channels])
    return bytes(
        (299 * red + 587 * green + 114 * blue) // 1000
        for red, green, blue in zip(line[::channels], line[1::channels], line[2::channels], strict=True)
    )
