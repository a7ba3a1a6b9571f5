"""From a deb to the entries of an image."""

from __future__ import annotations

import pytest

from builder.debian.deb import Deb
from builder.debian.rootfs import base_file_entries, deb_entries, exclusion, python_debs
from builder.digest import Digest
from builder.entry import Entry, EntryKind, directory_entry, file_entry, symlink_entry
from builder.errors import IntegrityError, StackError
from builder.lock.model import BaseLock, LockedDeb, LockedFile
from builder.platform import AMD64
from builder.stack.model import BaseFile
from tests.support.bases import make_base
from tests.support.debs import CONTROL


def made_deb(*entries: Entry, md5sums: str = "") -> Deb:
    return Deb(
        package="hello", version="1.0-1", architecture="amd64", control=CONTROL, md5sums=md5sums, entries=tuple(entries)
    )


def paths(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.path for entry in entries if not entry.path.startswith("var")]


def hard(path: str, target: str) -> Entry:
    return Entry(path=path, kind=EntryKind.HARDLINK, target=target)


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        ((), "usr/share/man/man1/a", False),
        (("usr/share/man",), "usr/share/man/man1/a", True),
        (("usr/share/man",), "usr/share/manual", False),
        (("usr/share/doc/*", "!usr/share/doc/*/copyright"), "usr/share/doc/a/copyright", False),
        (("usr/share/doc/*", "!usr/share/doc/*/copyright"), "usr/share/doc/a/changelog", True),
        (("!usr/share/doc/*/copyright", "usr/share/doc/*"), "usr/share/doc/a/copyright", True),
        (("*.la",), "usr/lib/a.la", True),
    ],
)
def test_the_last_pattern_that_matches_a_path_or_a_folder_above_it_decides(
    patterns: tuple[str, ...],
    path: str,
    excluded: bool,  # noqa: FBT001
) -> None:
    assert exclusion(patterns)(path) is excluded


def test_folders_that_only_excluded_paths_needed_go_with_them() -> None:
    deb = made_deb(
        directory_entry("usr"),
        directory_entry("usr/share"),
        directory_entry("usr/share/man"),
        file_entry("usr/share/man/hello.1", b""),
        directory_entry("usr/share/doc"),
        directory_entry("usr/share/doc/hello", mode=0o700),
        file_entry("usr/share/doc/hello/copyright", b"free"),
        file_entry("usr/share/doc/hello/changelog", b""),
        directory_entry("srv"),
    )
    base = make_base(exclude=["usr/share/man", "usr/share/doc/*", "!usr/share/doc/*/copyright"])
    entries = deb_entries(deb, base)
    assert paths(entries) == [
        "srv",
        "usr",
        "usr/share",
        "usr/share/doc",
        "usr/share/doc/hello",
        "usr/share/doc/hello/copyright",
    ]
    assert entries[4].mode == 0o700


def test_paths_of_unmerged_folders_are_rewritten_and_links_still_lead_where_they_led() -> None:
    deb = made_deb(
        directory_entry("bin"),
        file_entry("bin/hello", b"", executable=True),
        hard("bin/hallo", "bin/hello"),
        symlink_entry("bin/up", "../etc/hello"),
        symlink_entry("bin/near", "hello"),
        symlink_entry("lib/x/up", "../../usr/share/hello"),
        symlink_entry("lib/x/over", "../../bin/hello"),
        symlink_entry("usr/bin/absolute", "/bin/hello"),
        directory_entry("usr/bin"),
    )
    placed = {entry.path: entry.target for entry in deb_entries(deb, make_base())}
    assert "bin" not in placed
    assert placed["usr/bin/hallo"] == "usr/bin/hello"
    assert placed["usr/bin/up"] == "../../etc/hello"
    assert placed["usr/bin/near"] == "hello"
    assert placed["usr/lib/x/up"] == "../../share/hello"
    assert placed["usr/lib/x/over"] == "../../bin/hello"
    assert placed["usr/bin/absolute"] == "/bin/hello"


def test_the_links_of_a_merged_system_stay_links() -> None:
    entries = deb_entries(made_deb(symlink_entry("bin", "usr/bin"), directory_entry("usr/bin")), make_base())
    assert paths(entries) == ["bin", "usr/bin"]
    assert entries[0].target == "usr/bin"


def test_two_files_of_a_deb_that_merging_lays_on_one_path_are_refused() -> None:
    with pytest.raises(IntegrityError) as refused:
        deb_entries(made_deb(file_entry("bin/a", b"1"), file_entry("usr/bin/a", b"1")), make_base())
    assert str(refused.value) == "hello: usr/bin/a: two entries of the deb land on one path"


def test_nothing_gains_rights_and_sticky_folders_stay_sticky() -> None:
    deb = made_deb(
        Entry(path="su", mode=0o4755), Entry(path="wall", mode=0o2755, gid=5), directory_entry("tmp", mode=0o1777)
    )
    modes = {entry.path: entry.mode for entry in deb_entries(deb, make_base())}
    assert (modes["su"], modes["wall"], modes["tmp"]) == (0o755, 0o755, 0o1777)


def test_the_first_kept_hard_link_carries_the_content_of_an_excluded_file() -> None:
    deb = made_deb(file_entry("a", b"content"), hard("b", "a"), hard("c", "a"))
    entries = {entry.path: entry for entry in deb_entries(deb, make_base(exclude=["a"]))}
    assert (entries["b"].kind, entries["b"].data) == (EntryKind.FILE, b"content")
    assert (entries["c"].kind, entries["c"].target) == (EntryKind.HARDLINK, "b")


def test_scanners_find_the_package_and_the_files_that_are_there() -> None:
    deb = made_deb(
        file_entry("bin/hello", b""),
        md5sums="aa  bin/hello\nbb  usr/share/man/hello.1\n",
    )
    entries = {entry.path: entry for entry in deb_entries(deb, make_base(exclude=["usr/share/man"]))}
    status = entries["var/lib/dpkg/status.d/hello"].data.decode()
    assert status.startswith("Package: hello\nStatus: install ok installed\nVersion: 1.0-1\n")
    assert status.endswith(" At length.\n")
    assert entries["var/lib/dpkg/status.d/hello.md5sums"].data == b"aa  usr/bin/hello\n"
    assert entries["var/lib/dpkg/status.d"].kind is EntryKind.DIRECTORY


def test_declared_files_are_made_as_written() -> None:
    files = [
        BaseFile(path="etc/shadow", content="root:*\n", mode=0o640, gid=42),
        BaseFile(path="etc/localtime", kind="symlink", target="/usr/share/zoneinfo/Etc/UTC"),
        BaseFile(path="run/lock", kind="directory", mode=0o1777),
        BaseFile(path="etc/timezone", content="Etc/UTC\n"),
    ]
    assert base_file_entries(make_base(files=files), ca_certificates=None) == (
        symlink_entry("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
        Entry(path="etc/shadow", data=b"root:*\n", mode=0o640, gid=42),
        file_entry("etc/timezone", b"Etc/UTC\n"),
        directory_entry("run/lock", mode=0o1777),
    )


def test_the_bundle_holds_every_certificate_by_path() -> None:
    folder = "usr/share/ca-certificates/mozilla"
    deb = made_deb(
        file_entry(f"{folder}/b.crt", b"B"), file_entry(f"{folder}/a.crt", b"A\n"), file_entry(f"{folder}/readme", b"-")
    )
    base = make_base(files=[BaseFile(path="etc/ssl/certs/ca-certificates.crt", kind="ca-bundle")])
    assert base_file_entries(base, ca_certificates=deb)[0].data == b"A\nB\n"
    with pytest.raises(StackError, match="needs the package ca-certificates"):
        base_file_entries(base, ca_certificates=None)


def test_python_debs_are_those_of_the_bases_python() -> None:
    names = (
        "bash",
        "libpython3.13-minimal",
        "libpython3.13-stdlib",
        "python3.13-minimal",
        "python3-foo",
        "python3.1-x",
    )
    debs = tuple(
        LockedDeb(
            package=name,
            version="1",
            architecture="amd64",
            source=name,
            suite="trixie",
            pool_path=f"pool/{name}.deb",
            file=LockedFile(name=f"{name}.deb", size=1, sha256=Digest.of(name.encode())),
            platforms=(AMD64,),
        )
        for name in names
    )
    base = make_base()
    lock = BaseLock(
        name=base.name,
        inputs=Digest.of(b""),
        release="trixie",
        python_version="3.13.5",
        glibc="2.41",
        created=0,
        releases=(),
        debs=debs,
        base=base,
    )
    assert python_debs(lock) == {"libpython3.13-minimal", "libpython3.13-stdlib", "python3.13-minimal"}
