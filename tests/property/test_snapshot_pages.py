from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from builder.snapshot.model import OfferedFile, ProjectPage
from builder.snapshot.pages import dump_page, iter_version_files, parse_canonical_page, parse_file_name

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VERSIONS = st.sampled_from(["1", "1.0", "1.0.0", "01.0", "1.10", "1.0rc1", "2!1.0", "1.0+l.1", "1.0.post1", "10"])
NAMES = st.builds(
    "{}-{}{}".format,
    st.sampled_from(["demo", "Demo"]),
    VERSIONS,
    st.sampled_from([".tar.gz", ".zip", "-py3-none-any.whl", "-1-cp39-abi3-linux_x86_64.whl"]),
)
FILES = st.builds(
    OfferedFile,
    name=NAMES,
    url=TEXT,
    sha256=st.none() | HEX,
    size=st.none() | st.integers(0, 2**60),
    upload_time=st.none() | st.just("2026-05-01T10:00:00Z"),
    requires_python=st.none() | TEXT,
    yanked=st.none() | TEXT,
    metadata_sha256=st.none() | HEX,
    has_metadata=st.booleans(),
)
PAGES = st.builds(
    lambda files, status, reason: ProjectPage(
        index="default",
        project="demo",
        files=tuple(sorted(files, key=lambda file: file.name)),
        status=status,
        status_reason=reason,
    ),
    st.lists(FILES, unique_by=lambda file: file.name),
    st.sampled_from(["active", "archived", "quarantined"]),
    TEXT,
)


@given(PAGES)
def test_canonical_page_is_read_back_and_written_alike(page: ProjectPage) -> None:
    data = dump_page(page)
    assert parse_canonical_page(data) == page
    assert dump_page(parse_canonical_page(data)) == data


@given(PAGES, VERSIONS)
def test_files_of_a_version_are_those_that_packaging_says(page: ProjectPage, version: str) -> None:
    found = list(iter_version_files(dump_page(page), "demo", version))
    wanted = Version(version)
    assert found == [file for file in page.files if (parsed := parse_file_name(file.name)) and parsed[1] == wanted]


@given(st.from_regex(r"[A-Za-z0-9_.]{1,8}-[0-9a-z.+!]{1,8}(-[0-9a-z]{1,3}){0,4}\.(whl|zip|tar\.gz)", fullmatch=True))
def test_names_that_both_read_mean_the_same_to_packaging(name: str) -> None:
    found = parse_file_name(name)
    try:
        expected = parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        # Tags are read by whoever chooses a wheel: here project and version count.
        assert found is None or name.endswith(".whl")
        return
    assert found in {None, expected[:2]}
