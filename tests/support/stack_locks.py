"""Made-up locks of stacks, and a hypothesis strategy of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from hypothesis import strategies as st

from builder.digest import Digest
from builder.lock.model import BuiltWheel, LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.platform import AMD64, ARM64, Platform
from builder.stack.model import Divergence, IndexRule, ReleaseException, ResolutionRules


def make_file(name: str, *, size: int = 10) -> LockedFile:
    """Make a file whose hash is that of its name."""
    return LockedFile(name=name, size=size, sha256=Digest.of(name.encode()))


def make_candidate(project: str = "alpha", version: str = "1.0", **changes: object) -> LockedCandidate:
    """Make a candidate with one pure wheel on both platforms."""
    wheel = make_file(f"{project.replace('-', '_')}-{version}-py3-none-any.whl")
    candidate = LockedCandidate(
        project=project,
        version=version,
        wheels={AMD64.name: wheel, ARM64.name: wheel},
        dependencies=(),
        wanted_by=("stack:etl",),
        upload_time="2026-05-01T10:00:00Z",
    )
    return replace(candidate, **changes)  # type: ignore[arg-type]


def make_lock(*candidates: LockedCandidate, **changes: object) -> StackLock:
    """Make a lock of candidates, with all of them in one layer."""
    projects = tuple(sorted({candidate.project for candidate in candidates}))
    lock = StackLock(
        stack="etl",
        description="For tests",
        parents=(),
        inputs=Digest.of(b"inputs"),
        airflow_version="3.3.2",
        python_version="3.13.5",
        base="trixie",
        base_lock=Digest.of(b"base"),
        parent_lock=None,
        constraints=None,
        resolver="uv 0.13.9",
        created=1_795_000_000,
        platforms=(AMD64, ARM64),
        compression="zstd",
        candidates=tuple(sorted(candidates, key=lambda candidate: (candidate.project, candidate.version))),
        plan=(PlannedLayer(name="etl-one", stack="etl", projects=projects),) if projects else (),
    )
    return replace(lock, **changes)  # type: ignore[arg-type]


_digests = st.binary(min_size=32, max_size=32).map(lambda data: Digest(data.hex()))
_sizes = st.integers(0, 2**53 - 1)
_texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
_names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
_file_names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
_files = st.builds(LockedFile, name=_file_names, size=_sizes, sha256=_digests)
_built = st.builds(
    BuiltWheel,
    sdist=_files,
    requires=st.lists(st.tuples(_names, _texts, _files), max_size=2).map(tuple),
)
_rules = st.builds(
    ResolutionRules,
    as_of=st.none()
    | st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2999, 1, 1), timezones=st.just(dt.UTC)).map(  # noqa: DTZ001
        lambda time: time.replace(microsecond=0)
    ),
    cooldown_days=st.none() | st.integers(0, 9999),
    resolver=st.none() | st.sampled_from(["uv", "pip-tools"]),
    sdists=st.none() | st.booleans(),
    exceptions=st.lists(st.builds(ReleaseException, project=_names, specifier=_texts, reason=_texts), max_size=2).map(
        tuple
    ),
)
_index_rules = st.lists(
    st.builds(
        IndexRule,
        name=_names,
        reserved=st.lists(_texts, max_size=2).map(tuple),
        cooldown_days=st.none() | st.integers(0, 9999),
    ),
    max_size=2,
).map(tuple)
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)


def _draw_candidate(draw: st.DrawFn, project: str, platforms: tuple[Platform, ...]) -> list[LockedCandidate]:
    """Draw a project's candidates: one for all platforms, one for some, or another for each."""
    each: list[tuple[Platform, ...]] = [(platform,) for platform in platforms]
    groups = draw(st.sampled_from([[platforms], each, each[:1]]))
    versions = draw(st.lists(st.from_regex(r"[0-9]\.[0-9]", fullmatch=True), min_size=2, max_size=2, unique=True))
    found = []
    for version, group in zip(sorted(versions), groups, strict=False):
        stem = f"{project.replace('-', '_')}-{version}"
        pure, native = (
            LockedFile(name=f"{stem}-{tag}.whl", size=draw(_sizes), sha256=draw(_digests))
            for tag in ("py3-none-any", "1-cp313-cp313-manylinux_2_28_x86_64")
        )
        wheels = {platform.name: draw(st.sampled_from([pure, native])) for platform in group}
        found.append(
            LockedCandidate(
                project=project,
                version=version,
                wheels=wheels,
                dependencies=tuple(sorted(draw(st.sets(_names, max_size=3)))),
                wanted_by=tuple(sorted(draw(st.sets(_texts, max_size=3)))),
                upload_time=draw(st.none() | st.just("2026-05-01T10:00:00Z")),
                tested=draw(st.sampled_from([None, version, f"{version}.0", "10.0"])),
                index=draw(st.none() | _names),
                built=draw(st.none() | _built),
            )
        )
    return found


@st.composite
def stack_locks(draw: st.DrawFn) -> StackLock:
    """Draw a lock with anything in it that a lock may hold."""
    platforms = draw(st.sampled_from([(AMD64,), (ARM64,), (AMD64, ARM64)]))
    projects = sorted(draw(st.sets(_names, min_size=1, max_size=4)))
    candidates = [candidate for project in projects for candidate in _draw_candidate(draw, project, platforms)]
    cut = draw(st.integers(0, len(projects)))
    layers = [("one", projects[:cut]), ("two", projects[cut:])]
    files = draw(st.dictionaries(_paths, st.builds(LockedFile, name=_texts, size=_sizes, sha256=_digests), max_size=3))
    return StackLock(
        stack=draw(_names),
        description=draw(_texts),
        parents=tuple(draw(st.lists(_names, max_size=2))),
        inputs=draw(_digests),
        airflow_version=draw(_texts),
        python_version=draw(st.from_regex(r"3\.[0-9]{1,2}\.[0-9]{1,2}", fullmatch=True)),
        base=draw(_names),
        base_lock=draw(_digests),
        parent_lock=draw(st.none() | _digests),
        constraints=draw(st.none() | _digests),
        resolver=draw(_texts),
        created=draw(st.integers(0, 2**36 - 1)),
        platforms=platforms,
        compression=draw(st.sampled_from(["zstd", "gzip"])),
        candidates=tuple(candidates),
        plan=tuple(PlannedLayer(name=name, stack="s", projects=tuple(part)) for name, part in layers if part),
        files=tuple(sorted(files.items())),
        divergences=tuple(
            Divergence(
                project=project,
                specifier=draw(st.sampled_from(["<10", ">=0"])),
                reason=draw(_texts),
                owner=draw(_texts),
                expires=draw(st.dates()),
            )
            for project in sorted({one.project for one in candidates if one.tested == "10.0"} | draw(st.sets(_names)))
        ),
        resolution=draw(_rules),
        index_rules=draw(_index_rules),
    )
