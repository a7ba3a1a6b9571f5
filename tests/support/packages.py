"""Packages files from one line a package: `name version | Field: value | Field: value`.

A bar between fields is written ` | Field:`, so dependencies may have bars of their own.
"""

from __future__ import annotations

import hashlib
import re


def paragraphs(text: str) -> str:
    return "".join(map(_paragraph, filter(None, text.splitlines())))


def _paragraph(line: str) -> str:
    head, *fields = re.split(r" \| (?=[A-Z][A-Za-z0-9-]*: )", line)
    package, version = head.split()
    given = dict(field.split(": ", 1) for field in fields)
    given.setdefault("Architecture", "amd64")
    given.setdefault("Filename", f"pool/main/{package[0]}/{package}/{package}_{version}_{given['Architecture']}.deb")
    given.setdefault("Size", "100")
    given.setdefault("SHA256", hashlib.sha256(given["Filename"].encode()).hexdigest())
    body = "".join(f"{name}: {value}\n" for name, value in given.items())
    return f"Package: {package}\nVersion: {version}\n{body}Description: made up\n more\n\n"
