"""What a client is told instead of an answer."""

from __future__ import annotations


class ProblemError(Exception):
    """A status of HTTP and a sentence, told as application/problem+json (RFC 9457)."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
