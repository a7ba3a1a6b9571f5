"""What opens keys, and reads whose signatures hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from builder.attest.key_place import open_key, open_public_key
from builder.attest.sealing import KeyOpener, KeySealer, Opener
from builder.attest.trust import FILE, Trust, TrustedKey, parse_trust
from builder.errors import InvalidInputError, StackError
from builder.oci.config import format_time
from builder.usecase.sign import Signatory

if TYPE_CHECKING:
    from builder.project import Project


@contextmanager
def open_signatory(place: str) -> Iterator[Signatory]:
    """Open what `--key` names: a key, or `keyless` for the identity of this machine.

    Raises:
        InvalidInputError: there is no such key, or its password is missing or wrong.
        ToolError: what reads it is not installed.
    """
    # Late: an extra.
    from builder.attest.keyless import KEYLESS, open_keyless_sealer

    if place == KEYLESS:
        with open_keyless_sealer() as sealer:
            yield Signatory(sealer=sealer)
        return
    signer = open_key(place, os.environ)
    yield Signatory(sealer=KeySealer(signer), opener=KeyOpener((signer.public,)))


def load_trust(project: Project) -> Trust:
    """Read stacks/keys.toml; raises StackError where it is not there, IssuesError with all that is wrong in it."""
    path = project.keys_path
    if not path.is_file():
        raise StackError("is not there", context=FILE, hint="docs/signatures.md shows one; or name keys by --key")
    return parse_trust(path.read_bytes(), stacks=project.stack_names())


def trust_of_keys(places: Sequence[str]) -> Trust:
    """Trust keys that were named, in all that they sign; raises InvalidInputError where one is none."""
    keys = [TrustedKey(name=place, key=open_public_key(place, os.environ)) for place in places]
    return Trust(keys=tuple({one.key.fingerprint: one for one in keys}.values()))


def openers_of(trust: Trust, identity: tuple[str, str] | None) -> tuple[Opener, ...]:
    """Make what knows signers: keys, and an identity with its issuer where one is given."""
    openers: list[Opener] = [KeyOpener(trust.public_keys)] if trust.keys else []
    if identity is not None:
        from builder.attest.keyless import make_keyless_opener

        openers.append(make_keyless_opener(*identity))
    return tuple(openers)


def source_date(environment: Mapping[str, str] = os.environ) -> str:
    """Read SOURCE_DATE_EPOCH as RFC 3339; empty where it is not set. Raises InvalidInputError where it is no number."""
    text = environment.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return ""
    if not text.isascii() or not text.isdigit() or len(text) > 11:
        raise InvalidInputError(
            "is no number of seconds", context="SOURCE_DATE_EPOCH", hint="unset it, or set a number"
        )
    return format_time(int(text))


def write_key_pair(prefix: Path, password: bytes | None) -> tuple[Path, Path]:
    """Make a key; gives the files of its halves, `PREFIX.key` for nobody else to read, and `PREFIX.pub`.

    Raises:
        InvalidInputError: one of the files is there already.
    """
    from builder.attest.keys import dump_private_key, generate_key

    private, public = (prefix.with_name(f"{prefix.name}{suffix}") for suffix in (".key", ".pub"))
    for path in (private, public):
        if path.exists():
            raise InvalidInputError(
                "is there already", context=str(path), hint="name another one; keys are not replaced"
            )
    key = generate_key()
    for path, data, mode in ((private, dump_private_key(key, password), 0o600), (public, key.public.pem(), 0o644)):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:
            raise InvalidInputError("is there already", context=str(path), hint="name another one") from None
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
    return private, public
