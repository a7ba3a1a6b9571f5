"""How an image was built, as SLSA provenance v1 says it. Pure: bytes are a function of the locks, the image and the run that is told.

docs/provenance.md describes every field: `BUILD_TYPE` names that page by its version. A new meaning of a field is a new version.

No clock is read: times and the run stand in it only where the ledger recorded them, or the caller gives them.

Source: slsa-framework/slsa, docs/spec/v1.1/provenance.md; in-toto/attestation, spec/v1/resource_descriptor.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from packageurl import PackageURL

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.lock.model import BaseLock, LockedCandidate, LockedDeb, LockedFile, StackLock
from builder.oci.config import format_time
from builder.platform import Platform

BUILD_TYPE: Final = "urn:airflow-kubler:build:v1"
BUILDER: Final = "urn:airflow-kubler:builder:v1"
"""What the ids of our builders begin with: `...:<engine>:<platform>`."""
ENGINES: Final = ("own", "buildkit")
LOCAL: Final = "local"
PARAMETERS: Final = ("stack", "lock", "platforms", "compression")
"""All external parameters that there are: verifiers refuse any other."""
SLSA_BUILD_LEVEL: Final = 1
"""What a machine that nobody vouches for may claim: provenance is there, and says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRun:
    """One run of a build, as far as it is known."""

    builder: str
    """Id of the builder."""
    program: str
    """Version of this program that built, as `0.1.0`."""
    formats: tuple[str, ...] = ()
    """Of segments and layers, that this version of the program writes; empty where they are not known."""
    invocation: str = ""
    started: int | None = None
    """Seconds since the epoch."""
    finished: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """What came out."""

    platforms: tuple[tuple[Platform, Digest], ...]
    """With the digest of each manifest, sorted."""
    compression: str
    """Of its layers, as `zstd`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Both locks, read."""

    stack: StackLock
    lock: Digest
    """Of the stack's lock."""
    base: BaseLock


def builder_id(engine: str, platform: str = LOCAL) -> str:
    """Name a builder: what must be trusted for the provenance to be true.

    >>> builder_id("own")
    'urn:airflow-kubler:builder:v1:own:local'
    """
    if engine not in ENGINES:
        raise InvalidInputError(f"no engine {engine[:40]!r}", hint=f"one of {', '.join(ENGINES)}")
    return f"{BUILDER}:{engine}:{platform}"


def platform_of_run(run: str) -> str:
    """Name the kind of machine from the address of a run of a continuous integration; nobody has proved it.

    >>> platform_of_run("https://git.example.org/team/airflow/actions/runs/7")
    'github-actions'
    """
    if not run:
        return LOCAL
    if "/actions/runs/" in run:
        return "github-actions"
    return "gitlab-ci" if "/-/jobs/" in run else "ci"


def make_provenance(inputs: Inputs, image: BuiltImage, run: BuildRun) -> Mapping[str, Any]:
    """Make the predicate.

    Args:
        inputs: that the image was built from.
        image: what came out.
        run: who built it, and what else is known.

    Returns:
        Values whose JSON is the same each time.
    """
    platforms = tuple(platform for platform, _ in image.platforms)
    times = {"startedOn": run.started, "finishedOn": run.finished}
    metadata = {
        **({"invocationId": run.invocation} if run.invocation else {}),
        **{key: format_time(moment) for key, moment in times.items() if moment is not None},
    }
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "stack": inputs.stack.stack,
                "lock": str(inputs.lock),
                "platforms": [platform.name for platform in platforms],
                "compression": image.compression,
            },
            "internalParameters": {
                # The build reads nothing but files whose sha256 the lock states, and has no network.
                "hermetic": True,
                "pinnedDependencies": "all",
                **({"formats": list(run.formats)} if run.formats else {}),
            },
            "resolvedDependencies": list(_dependencies(inputs, platforms)),
        },
        "runDetails": {
            "builder": {"id": run.builder, "version": {"airflow-kubler": run.program}},
            **({"metadata": metadata} if metadata else {}),
            "byproducts": [
                {"name": platform.name, "digest": {"sha256": digest.hex}} for platform, digest in image.platforms
            ],
        },
    }


def _dependencies(inputs: Inputs, platforms: Sequence[Platform]) -> Iterator[dict[str, Any]]:
    """List everything that the image was made from, and what its locks were made from, each once."""
    stack, base = inputs.stack, inputs.base
    yield _document(f"locks/pylock.{stack.stack}.toml", inputs.lock, "lock")
    yield _document(f"locks/base.{base.name}.toml", stack.base_lock, "base lock")
    if stack.constraints is not None:
        yield _document(f"constraints of Airflow {stack.airflow_version}", stack.constraints, "constraints")
    for record in base.releases:
        yield _document(f"InRelease of {record.suite}", record.sha256, "release")
    names = {platform.name for platform in platforms}
    candidates = [one for one in stack.candidates if not names.isdisjoint(one.wheels)]
    files = [
        *(_wheel(one, file) for one in candidates for file in _wheels(one, names)),
        *(described for one in candidates for described in _built_from(one)),
        *(_deb(deb, "deb") for deb in base.debs if not set(deb.platforms).isdisjoint(platforms)),
        *(
            _deb(deb, "compiler")
            for deb in base.compilers
            if any(one.built and one.built.compilers for one in candidates)
        ),
        *(
            _described(layer.file.name, layer.file.sha256, "base layer", mediaType=layer.media_type)
            for image in base.images
            if image.platform in platforms
            for layer in image.layers
        ),
        *(_described(path, file.sha256, "file") for path, file in stack.files),
    ]
    yield from _each_once(files)


def _each_once(described: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    found = {(one["annotations"]["role"], one["name"], one["digest"]["sha256"]): one for one in described}
    yield from (found[key] for key in sorted(found))


def _wheels(candidate: LockedCandidate, platforms: set[str]) -> tuple[LockedFile, ...]:
    return tuple(file for name, file in candidate.wheels.items() if name in platforms)


def _wheel(candidate: LockedCandidate, file: LockedFile) -> dict[str, Any]:
    more = {"index": candidate.index} if candidate.index else {}
    return _described(file.name, file.sha256, "wheel", uri=_pypi(candidate.project, candidate.version, file), **more)


def _built_from(candidate: LockedCandidate) -> Iterator[dict[str, Any]]:
    """List what a wheel that no index has was built from."""
    record = candidate.built
    if record is None:
        return
    uri = _pypi(candidate.project, candidate.version, record.sdist)
    yield _described(record.sdist.name, record.sdist.sha256, "sdist", uri=uri)
    for project, version, file in record.requires:
        yield _described(file.name, file.sha256, "build requirement", uri=_pypi(project, version, file))


def _pypi(project: str, version: str, file: LockedFile) -> str:
    return PackageURL(type="pypi", name=project, version=version, qualifiers={"file_name": file.name}).to_string()


def _deb(deb: LockedDeb, role: str) -> dict[str, Any]:
    uri = PackageURL(
        type="deb",
        namespace="debian",
        name=deb.package,
        version=deb.version,
        qualifiers={"arch": deb.architecture, "distro": deb.suite},
    ).to_string()
    return _described(deb.file.name, deb.file.sha256, role, uri=uri)


def _document(name: str, digest: Digest, role: str) -> dict[str, Any]:
    return _described(name, digest, role)


def _described(name: str, digest: Digest, role: str, *, uri: str = "", index: str = "", **more: str) -> dict[str, Any]:
    """Make a ResourceDescriptor; no host is in it, since locks know none."""
    return {
        "name": name,
        **({"uri": uri} if uri else {}),
        "digest": {"sha256": digest.hex},
        **more,
        "annotations": {"role": role, **({"index": index} if index else {})},
    }
