"""Starts a program within limits, where it cannot be shut in: `python -m builder.scan.limited LIMITS PROGRAM [ARGUMENT]...`.

LIMITS is a JSON object by resource.RLIMIT's names in lower case. Standard library only.

Source: prctl(2), setrlimit(2).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from typing import NoReturn

_PR_SET_NO_NEW_PRIVS = 38


def main(arguments: list[str]) -> NoReturn:
    """Take the limits on and become the program."""
    limits, *argv = arguments
    for name, value in json.loads(limits).items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(number)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (least, least))
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.execve(argv[0], argv, dict(os.environ))  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
