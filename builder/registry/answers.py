"""What registries answer: errors with their codes, links to further pages, offsets of uploads. Pure.

Source: opencontainers/distribution-spec 1.1, "Error Codes", "Listing Tags", "Pushing a blob in chunks".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.errors import BuilderError, IntegrityError, RegistryError
from builder.store.patience import TEMPORARY_STATUS
from builder.store.transport import TransportError, origin, redirected, shown

_LONGEST_TEXT: Final = 300
_LINK: Final = re.compile(r'<([^<>]{1,4096})>((?:\s*;\s*[A-Za-z*]+\s*=\s*(?:"[^"]*"|[^",;\s]+))*)')
_RELATION: Final = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]+))', re.IGNORECASE)
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d{1,18})\Z")
_HINTS: Final = {
    401: "log in with `docker login {host}` or `skopeo login {host}`, or name a credential helper in docker's config.json",
    403: "the user that is logged in may not do this: ask whoever runs {host}",
    404: "check the name; some registries want a repository to be made before the first push",
    405: "{host} does not offer this",
    413: "{host} limits the size of what is sent: ask whoever runs it",
    429: "{host} limits how often it may be asked: try again later, or log in",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One entry of a registry's list of errors."""

    code: str
    """As `MANIFEST_UNKNOWN`."""
    message: str


class RegistryTroubleError(RegistryError):
    """A registry refused, failed or fell silent.

    Args:
        message: what happened.
        registry: its host.
        context: the object.
        status: of the answer, None where there was none.
        details: the registry's own list.
        temporary: another try may go well.
        after_s: how long it asks to wait.
    """

    def __init__(
        self,
        message: str,
        *,
        registry: str,
        context: str,
        status: int | None = None,
        details: Sequence[Detail] = (),
        temporary: bool = False,
        after_s: float | None = None,
        hint: str = "",
    ) -> None:
        said = hint or hint_of(status, registry)
        super().__init__(message, context=context, hint=said)
        self.registry = registry
        self.status = status
        self.details = tuple(details)
        self.temporary = temporary
        self.after_s = after_s


class TooLongError(RegistryTroubleError):
    """An answer that is longer than any document may be."""


class TagTakenError(RegistryTroubleError):
    """A registry that keeps tags from being changed refuses one that stands for something else."""


_REFUSING: Final = {400, 403, 405, 409, 412}
_IMMUTABLE: Final = re.compile(r"immutab|already exists|overwrit|redeploy|not allow updating", re.IGNORECASE)


def may_be_taken(error: RegistryTroubleError) -> bool:
    """Tell a refusal to write a tag that may be for what stands there.

    Registries answer 400 (ECR: TAG_INVALID), 403 (Docker Hub, zot), 405, 409 or 412 (Harbor, and whoever heeds If-None-Match).
    """
    return error.status in _REFUSING


def says_immutable(error: RegistryTroubleError) -> bool:
    """Tell a refusal that names a rule of immutable tags."""
    return any(_IMMUTABLE.search(detail.message) for detail in error.details)


_OF_WHO_ASKS: Final = {401, 407}


def lies_in_object(error: BuilderError) -> bool:
    """Tell an object that is gone, refused or wrong from a registry that fails: others of it may be had all the same."""
    if not isinstance(error, RegistryTroubleError):
        return isinstance(error, IntegrityError)
    if error.status is None:
        return isinstance(error, TooLongError)
    return 400 <= error.status < 500 and error.status not in {*_OF_WHO_ASKS, *TEMPORARY_STATUS}


def hint_of(status: int | None, host: str) -> str:
    """Say the way out of a status."""
    known = _HINTS.get(status or 0)
    if known:
        return known.format(host=host)
    if status is None:
        return f"check that {host} can be reached from here, and try again"
    return f"try again later; if it stays, ask whoever runs {host}" if status >= 500 else ""


def hint_of_connection(message: str, host: str) -> str:
    """Say the way out of a connection that failed; empty where only trying again may help."""
    if "CERTIFICATE_VERIFY_FAILED" not in message:
        return ""
    if "unable to get" in message or "self-signed" in message or "self signed" in message:
        return f'name the authority of its certificate in airflow-kubler/config.toml: [registries."{host}"] certificate = FILE'
    return f"the certificate is wrong: ask whoever runs {host}; nothing was sent there"


def parse_details(body: bytes, hide: Callable[[str], str] = lambda text: text) -> tuple[Detail, ...]:
    """Read a registry's list of errors; empty where the body is none, as from a proxy in between.

    Args:
        body: untrusted.
        hide: takes secrets out of a text, which may repeat what was sent.
    """
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ()
    if not isinstance(errors, list):
        return ()
    return tuple(
        Detail(code=_plain(entry.get("code"), hide), message=_plain(entry.get("message"), hide))
        for entry in errors[:10]
        if isinstance(entry, dict)
    )


def say(status: int, details: Sequence[Detail]) -> str:
    """Write an answer that is no success in one line."""
    told = "; ".join(": ".join(part for part in (entry.code, entry.message) if part) for entry in details)
    return f"HTTP {status}" + (f" ({told})" if told else "")


def _plain(value: object, hide: Callable[[str], str]) -> str:
    text = hide(value) if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST_TEXT])


def next_page(url: str, headers: Mapping[str, str]) -> str | None:
    """Find the next page of a list; None where this is the last.

    Raises:
        TransportError: it lies elsewhere: a list that ends there would be taken for the whole.
    """
    for address, parameters in _LINK.findall(headers.get("link", "")):
        relations = (quoted or bare for quoted, bare in _RELATION.findall(parameters))
        if any("next" in relation.lower().split() for relation in relations):
            following = redirected(url, _with_tls(url, address))
            if origin(following) != origin(url):
                raise TransportError(f"the list goes on at {shown(following)}", url=url, temporary=False)
            return following
    return None


def _with_tls(url: str, target: str) -> str:
    """Write an address with TLS where the question went by TLS: behind a proxy that ends it, registries know nothing of it."""
    plain = url.startswith("https://") and target.startswith("http://")
    if plain and origin(target)[1] == origin(url)[1]:
        return "https://" + target.removeprefix("http://")
    return target


def upload_address(url: str, headers: Mapping[str, str]) -> str:
    """Find where an upload goes on; raises TransportError where that is nowhere, or without TLS after TLS."""
    target = headers.get("location")
    if not target:
        raise TransportError("the answer does not say where the upload goes on", url=url, temporary=False)
    return redirected(url, _with_tls(url, target))


def upload_offset(headers: Mapping[str, str]) -> int:
    """Read how many bytes of an upload a registry has; 0 where it does not say. `0-0` is none, as most mean it."""
    match = _RANGE.match(headers.get("range", "").strip())
    last = int(match[1]) if match else 0
    return last + 1 if last else 0
