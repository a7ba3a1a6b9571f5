"""Files of the cache whose bytes this process has hashed: linked into a second image, they are not hashed again.

A link is the very file, so what was found of it once holds for every image that it is linked into, as long as nobody wrote to
it. The kernel tells: device, inode, size, and the times at which content and status last changed. Whoever could set these back
could as well change the file after it was checked, since all images share it.
"""

from __future__ import annotations

import os
from typing import Final

from builder.digest import Digest
from builder.recent import Recent

_MOST: Final = 4096


class VerifiedFiles:
    """What was hashed, by digest, and how it was then."""

    def __init__(self) -> None:
        self._known: Recent[Digest, os.stat_result] = Recent(_MOST)

    def holds(self, digest: Digest, before: os.stat_result, linked: os.stat_result) -> bool:
        """Tell whether a file is one that was hashed.

        Args:
            digest: what it has to hash to.
            before: how it was.
            linked: how it was a moment later: a link changes its status, and nothing else.
        """
        known = self._known.get(digest)
        return (
            known is not None
            and known.st_ctime_ns == before.st_ctime_ns
            and _content(known) == _content(before) == _content(linked)
        )

    def note(self, digest: Digest, hashed: os.stat_result, now: os.stat_result) -> None:
        """Note that a file was hashed, unless it was written to meanwhile."""
        if _content(hashed) == _content(now):
            self._known.put(digest, now)


def _content(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
