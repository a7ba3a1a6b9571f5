"""Asking mirrors for a suite: signature first, then nothing that the signed text does not name by size and hash.

The mirrors of a suite are asked in their order; the first whose Release file is good is taken, and every reason against
the others is told where none is. Indexes are kept in the store by their hash, so an unchanged one is not asked for again.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from builder.debian.gpgv import verify_inrelease
from builder.debian.mirrors import Mirror, Mirrors
from builder.debian.release import Release, check_release, parse_release
from builder.digest import Digest
from builder.errors import DigestMismatchError, MirrorError, MissingBlobError, PackageIndexError
from builder.lock.model import LockedFile, ReleaseRecord
from builder.store.model import FileStore
from builder.store.pages import read_page
from builder.store.patience import Patience
from builder.store.transport import Transport, shown

_MAX_RELEASE_BYTES = 16 << 20
_MAX_INDEX_BYTES = 512 << 20
_PATIENCE = Patience(tries=3)
"""Less than for files: there is another mirror to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What a mirror says of one suite, verified."""

    record: ReleaseRecord
    packages: Mapping[str, tuple[bytes, ...]]
    """Architecture to the bytes of its Packages files, by component; a client may read them when they are first wanted."""
    digests: Mapping[str, tuple[Digest, ...]] = field(default_factory=dict)
    """The same, of these bytes, as the signed text has them; empty where a client does not say."""


class MirrorClient:
    """Asks the configured mirrors.

    Args:
        transport: what opens connections.
        store: keeps indexes by hash.
        mirrors: where to ask.
        now: seconds since the epoch, for Valid-Until.
    """

    def __init__(self, transport: Transport, store: FileStore, mirrors: Mirrors, *, now: int) -> None:
        self._transport = transport
        self._store = store
        self._mirrors = mirrors
        self._now = now

    def fetch_suite(self, suite: str, *, components: Sequence[str], architectures: Sequence[str]) -> Suite:
        """Get a suite's Packages files.

        Raises:
            MirrorError: no mirror gives a Release file that is signed, current and of this suite, or none gives an
                index that the Release file names.
        """
        mirror, data, release = self._find_release(suite)
        paths = {
            architecture: tuple(f"{component}/binary-{architecture}/Packages" for component in components)
            for architecture in architectures
        }
        digests = {
            architecture: tuple(_named(suite, release, path)[1].sha256 for path in named)
            for architecture, named in paths.items()
        }
        return Suite(
            record=ReleaseRecord(suite=suite, date=release.date, sha256=Digest.of(data)),
            packages=_Late(paths, lambda path: self._fetch_packages(suite, mirror, release, path)),
            digests=digests,
        )

    def _find_release(self, suite: str) -> tuple[Mirror, bytes, Release]:
        reasons: list[str] = []
        hint = ""
        for mirror in self._mirrors.serving(suite):
            url = f"{mirror.url}/dists/{suite}/InRelease"
            where = shown(url)
            try:
                data = self._get(url, limit=_MAX_RELEASE_BYTES)
                text = verify_inrelease(data, keyrings=mirror.keyrings or self._mirrors.keyrings, where=where)
                release = parse_release(text, where=where)
                check_release(release, suite=suite, now=self._now, where=where)
            except (PackageIndexError, MirrorError) as error:
                reasons.append(f"{error.context}: {error.message}" if error.context else error.message)
                hint = hint or error.hint
            else:
                return mirror, data, release
        raise MirrorError("no mirror gives a good Release file:\n" + "\n".join(reasons), context=suite, hint=hint)

    def _fetch_packages(self, suite: str, mirror: Mirror, release: Release, path: str) -> bytes:
        """Get one Packages file, inflated, both sizes and both hashes checked."""
        packed, plain = _named(suite, release, path)
        try:
            data = self._store.read(packed)
        except (MissingBlobError, DigestMismatchError):
            data = self._download(suite, mirror, release, packed, path=f"{path}.xz")
            self._store.add(data)
        return _inflate(data, plain, where=f"{suite}: {path}.xz")

    def _download(self, suite: str, mirror: Mirror, release: Release, file: LockedFile, *, path: str) -> bytes:
        """Ask for an index under its hash, where a mirror that is just being updated still has it, else by name."""
        folder = path.rpartition("/")[0]
        paths = [f"{folder}/by-hash/SHA256/{file.sha256.hex}"] if release.by_hash else []
        others = (other for other in self._mirrors.serving(suite) if other != mirror)
        reasons: list[str] = []
        for place in (mirror, *others):
            for name in (*paths, path):
                url = f"{place.url}/dists/{suite}/{name}"
                try:
                    data = self._get(url, limit=file.size)
                    _check(data, file, where=shown(url))
                except (PackageIndexError, MirrorError) as error:
                    reasons.append(f"{error.context}: {error.message}" if error.context else error.message)
                else:
                    return data
        raise MirrorError(f"no mirror gives {path} as its Release file names it:\n" + "\n".join(reasons), context=suite)

    def _get(self, url: str, *, limit: int) -> bytes:
        page = read_page(url, self._transport, largest=limit, patience=_PATIENCE)
        if page is None:
            raise MirrorError("does not have it", context=shown(url))
        return page.body


class _Late(Mapping[str, tuple[bytes, ...]]):
    """Packages files by architecture, fetched and inflated when wanted: who knows them by their hashes needs none."""

    def __init__(self, paths: Mapping[str, tuple[str, ...]], fetch: Callable[[str], bytes]) -> None:
        self._paths = paths
        self._fetch = fetch

    def __getitem__(self, architecture: str) -> tuple[bytes, ...]:
        return tuple(self._fetch(path) for path in self._paths[architecture])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _named(suite: str, release: Release, path: str) -> tuple[LockedFile, LockedFile]:
    """Find a Packages file in a Release file, packed and plain."""
    packed, plain = release.indexes.get(f"{path}.xz"), release.indexes.get(path)
    if packed is None or plain is None:
        raise MirrorError(f"its Release file does not name {path}.xz", context=suite)
    if max(packed.size, plain.size) > _MAX_INDEX_BYTES:
        raise MirrorError(f"{path} is larger than {_MAX_INDEX_BYTES} bytes", context=suite)
    return packed, plain


def _inflate(data: bytes, plain: LockedFile, *, where: str) -> bytes:
    inflater = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
    try:
        text = inflater.decompress(data, plain.size + 1)
    except lzma.LZMAError as exc:
        raise MirrorError(f"not an xz file: {exc}", context=where) from exc
    _check(text, plain, where=where)
    return text


def _check(data: bytes, file: LockedFile, *, where: str) -> None:
    if len(data) != file.size:
        raise MirrorError(f"has {len(data)} bytes, its Release file says {file.size}", context=where)
    if hashlib.sha256(data).hexdigest() != file.sha256.hex:
        raise MirrorError("has another sha256 than its Release file says", context=where)
