"""What a base lacks for the native code of a stack."""

from __future__ import annotations

from builder.abi.check import Provided, find_missing, provide
from builder.abi.elf import ElfFacts
from builder.abi.facts import FileFacts
from builder.platform import AMD64

LIBC = frozenset({"open@GLIBC_2.2.5", "pthread_create@GLIBC_2.34", "plain"})
BASE = Provided(exports={"libc.so.6": LIBC, "libz.so.1": frozenset({"inflate", "crc32@ZLIB_1.2"})})


def elf(
    path: str = "pkg/_native.so",
    *needed: str,
    soname: str = "",
    versions: tuple[tuple[str, str], ...] = (),
    symbols: tuple[tuple[str, str, str], ...] = (),
    exports: tuple[str, ...] = (),
) -> ElfFacts:
    return ElfFacts(
        path=path, soname=soname, needed=needed, versions=versions, symbols=symbols, exports=frozenset(exports)
    )


def missing(*files: ElfFacts, base: Provided = BASE, **others: ElfFacts) -> list[str]:
    wheels = {"pkg==1": FileFacts(files=files), **{f"{k}==1": FileFacts(files=(v,)) for k, v in others.items()}}
    return [str(one) for one in find_missing(wheels, base, AMD64)]


def test_what_the_base_gives_is_not_missing() -> None:
    asked = elf(
        "pkg/_native.so",
        "libc.so.6",
        "libz.so.1",
        versions=(("libc.so.6", "GLIBC_2.34"),),
        symbols=(("libc.so.6", "GLIBC_2.34", "pthread_create"),),
    )
    assert missing(asked) == []


def test_a_library_that_nobody_has_is_named() -> None:
    assert missing(elf("pkg/_native.so", "libodbc.so.2")) == [
        "linux/amd64: pkg==1: pkg/_native.so needs libodbc.so.2",
    ]


def test_a_version_that_the_library_does_not_define_is_named_once() -> None:
    asked = elf(
        "pkg/_native.so",
        "libc.so.6",
        versions=(("libc.so.6", "GLIBC_2.38"),),
        symbols=(("libc.so.6", "GLIBC_2.38", "strlcpy"), ("libc.so.6", "GLIBC_2.38", "strlcat")),
    )
    assert missing(asked) == ["linux/amd64: pkg==1: pkg/_native.so needs GLIBC_2.38 of libc.so.6"]


def test_a_symbol_that_is_gone_is_named() -> None:
    asked = elf(
        "pkg/_native.so",
        "libc.so.6",
        versions=(("libc.so.6", "GLIBC_2.34"),),
        symbols=(("libc.so.6", "GLIBC_2.34", "fancy"),),
    )
    assert missing(asked) == ["linux/amd64: pkg==1: pkg/_native.so needs fancy@GLIBC_2.34 of libc.so.6"]


def test_a_symbol_that_moved_to_another_library_is_found_there() -> None:
    base = Provided(exports={**BASE.exports, "libpthread.so.0": frozenset({"old@GLIBC_2.2.5"})})
    asked = elf("pkg/_native.so", "libpthread.so.0", symbols=(("libpthread.so.0", "GLIBC_2.2.5", "open"),))
    assert missing(asked, base=base) == []


def test_what_a_distribution_brings_itself_is_no_demand() -> None:
    own = elf("pkg.libs/libssl-1a2b.so.3", soname="libssl-1a2b.so.3", exports=("SSL_new@OPENSSL_3.0.0",))
    asked = elf("pkg/_native.so", "libssl-1a2b.so.3", versions=(("libssl-1a2b.so.3", "OPENSSL_3.9"),))
    assert missing(asked, own) == []


def test_what_another_distribution_brings_counts_where_the_base_has_none() -> None:
    asked = elf("pkg/_native.so", "libarrow.so.20")
    assert missing(asked, pyarrow=elf("pyarrow/libarrow.so.20")) == []
    # The base's comes first.
    asked = elf("pkg/_native.so", "libz.so.1", versions=(("libz.so.1", "ZLIB_9"),))
    assert missing(asked, other=elf("other.libs/libz.so.1")) == [
        "linux/amd64: pkg==1: pkg/_native.so needs ZLIB_9 of libz.so.1"
    ]


def test_libraries_are_found_by_name_soname_and_link_where_a_loader_looks() -> None:
    multiarch = f"usr/lib/{AMD64.multiarch}"
    deb = FileFacts(
        files=(
            elf(f"{multiarch}/libodbc.so.2.0.0", soname="libodbc.so.2", exports=("SQLConnect",)),
            elf(f"{multiarch}/libplain-1.5.so", exports=("x",)),
            elf(f"{multiarch}/odbc/libhidden.so.1", soname="libhidden.so.1"),
        ),
        links=((f"lib/{AMD64.multiarch}/libplain.so.1", f"{multiarch}/libplain-1.5.so"),),
    )
    found = provide([deb], AMD64).exports
    assert set(found) == {"libodbc.so.2.0.0", "libodbc.so.2", "libplain-1.5.so", "libplain.so.1"}
    assert found["libplain.so.1"] == {"x"}
