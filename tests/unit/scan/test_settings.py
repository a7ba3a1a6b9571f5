from __future__ import annotations

from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuilderError, ScanError, ToolError
from builder.scan.canary import shipped_canaries
from builder.scan.program import (
    check_hash,
    check_pin,
    check_release,
    check_shut_in,
    denied_releases,
    find_program,
    tell_unpinned,
)
from builder.scan.settings import Canaries, ScannerPin, ScanSettings, parse_settings
from builder.scan.trivy import Identity

HASH = "ab" * 32
WHOLE = f"""
[trivy]
version = "0.70.0"
sha256 = ["{HASH}"]
image = "registry.example.org/team/trivy@sha256:{HASH}"
image-path = "usr/bin/trivy"
[database]
max-age = "12h"
sha256 = "{HASH}"
[exploited]
file = "known-exploited.json"
[canary]
deb = "bash"
distribution = "Django==1.0"
"""
PIN = ScannerPin(version="0.70.0", sha256=frozenset({HASH}))


def identity(version: str = "0.70.0", sha256: str = HASH) -> Identity:
    return Identity(name="trivy", version=version, sha256=Digest(sha256), isolated=True)


def test_all_keys_are_read() -> None:
    assert parse_settings(WHOLE.encode()) == ScanSettings(
        pin=PIN,
        image=f"registry.example.org/team/trivy@sha256:{HASH}",
        image_path="usr/bin/trivy",
        database=HASH,
        database_age_s=43_200,
        exploited="known-exploited.json",
        canaries=Canaries(deb="bash", project="django", version="1.0"),
    )
    assert parse_settings(b"") == ScanSettings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[trivy]\nversion = '1'", "trivy.sha256: is missing"),
        (f"[trivy]\nsha256 = ['{HASH}']", "trivy.version: is missing"),
        ("[trivy]\nversion = '1'\nsha256 = []", "trivy.sha256: is empty"),
        ("[trivy]\nversion = '1'\nsha256 = ['x']", "trivy.sha256[0]: 'x' is no sha256"),
        ("[trivy]\nimage = 'registry.example.org/trivy:1'", "trivy.image: names no digest"),
        ("[trivy]\nimage = 'trivy'", "trivy.image: does not name its registry"),
        ("[trivy]\nallow = true", "trivy.allow: unknown key"),
        ("[database]\nmax-age = '3 days'", "database.max-age: '3 days' is no span of time"),
        ("[database]\nmax-age = '0d'", "database.max-age: '0d' is no span of time"),
        ("[database]\nsha256 = 'x'", "database.sha256: 'x' is not right"),
        ("[exploited]\nfile = '../x'", "exploited.file: '../x' is not right"),
        ("[canary]\ndeb = 'bash'", "canary.distribution: is missing"),
        ("[canary]\ndeb = 'bash'\ndistribution = 'x>1'", "canary.distribution: 'x>1' names no version"),
        ("[other]", "other: unknown key"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_key(text: str, told: str) -> None:
    with pytest.raises(BuilderError) as caught:
        parse_settings(text.encode())
    assert f"stacks/scan.toml: {told}" in str(caught.value)


def test_the_canaries_that_come_along_are_read() -> None:
    assert shipped_canaries() == Canaries(deb="openssl", project="requests", version="2.19.0")


def test_a_program_is_pinned_by_hash_and_version() -> None:
    assert check_pin(PIN, identity())
    assert not check_pin(None, identity())
    with pytest.raises(ScanError, match=r"says that it is 0\.70\.1, and 0\.70\.0 is pinned"):
        check_pin(PIN, identity("0.70.1"))
    with pytest.raises(ScanError, match="which is not pinned"):
        check_pin(PIN, identity(sha256="cd" * 32))


def test_another_program_than_the_pinned_one_is_refused_by_its_hash_alone() -> None:
    check_hash(PIN, Digest(HASH))
    check_hash(None, Digest("cd" * 32))
    with pytest.raises(ScanError, match=f"{'cd' * 32}, which is not pinned: it was not run"):
        check_hash(PIN, Digest("cd" * 32))


def test_what_nobody_vouches_for_is_run_shut_in_or_not_at_all() -> None:
    for pin, isolated in ((PIN, True), (PIN, False), (None, True)):
        check_shut_in(pin, isolated=isolated)
    with pytest.raises(ScanError, match="this machine cannot shut it in: it was not run"):
        check_shut_in(None, isolated=False)


@pytest.mark.parametrize("version", ["0.69.4", "v0.69.5", "0.69.6"])
def test_a_release_that_is_known_to_be_bad_is_never_run(version: str) -> None:
    with pytest.raises(ScanError, match="is never run: CVE-2026-33634"):
        check_release("trivy", version)
    with pytest.raises(ScanError, match="is never run"):
        check_pin(ScannerPin(version=version.removeprefix("v"), sha256=frozenset({HASH})), identity(version))
    with pytest.raises(ScanError, match="is never run"):
        check_pin(None, identity(version))


def test_releases_beside_the_bad_ones_are_not_on_the_list() -> None:
    for version in ("0.69.3", "0.70.0"):
        check_release("trivy", version)
    assert [row.name for row in denied_releases()] == ["trivy"]


def test_what_would_pin_a_program_is_told() -> None:
    told = tell_unpinned(identity())
    assert told.startswith("WARNING")
    assert parse_settings(told.partition("\n[trivy]")[1].encode() + told.partition("\n[trivy]")[2].encode()).pin == PIN


def test_the_program_is_the_named_one_then_the_configured_then_the_first_on_the_path(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def program(name: str, mode: int = 0o755) -> str:
        path = tmp_path_factory.mktemp(name) / "trivy"
        path.touch()
        path.chmod(mode)
        return str(path)

    named, configured, first, second = map(program, ("named", "configured", "first", "second"))
    path = ":".join(str(Path(one).parent) for one in (first, second))
    assert find_program(Path(named), configured, path) == Path(named)
    assert find_program(None, configured, path) == Path(configured)
    assert find_program(None, "", path) == Path(first)
    with pytest.raises(ToolError, match="trivy is not there"):
        find_program(None, "", "/nowhere")
    with pytest.raises(ToolError, match="is no program"):
        find_program(Path(program("plain", 0o644)), "", path)
