"""Provenance: every input by its hash, the same bytes each time, and what a verifier refuses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement import Statement as OtherStatement  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage  # type: ignore[import-untyped]

from builder.attest.provenance import (
    BUILD_TYPE,
    BuildRun,
    BuiltImage,
    Inputs,
    builder_id,
    make_provenance,
    platform_of_run,
)
from builder.attest.provenance_check import Claims, Expected, check_provenance
from builder.attest.statement import Statement, dump_statement
from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError, InvalidInputError
from builder.lock.model import BaseLock, BuiltWheel, LockedDeb, ReleaseRecord
from builder.platform import AMD64, ARM64
from tests.support.bases import make_base
from tests.support.stack_locks import make_candidate, make_file, make_lock

LOCK = Digest.of(b"lock")
IMAGE = BuiltImage(platforms=((AMD64, Digest.of(b"amd64")), (ARM64, Digest.of(b"arm64"))), compression="zstd")
RUN = BuildRun(builder=builder_id("own"), program="0.1.0")


def deb(package: str, architecture: str = "all") -> LockedDeb:
    platforms = {"amd64": (AMD64,), "arm64": (ARM64,), "all": (AMD64, ARM64)}[architecture]
    return LockedDeb(
        package=package,
        version="1.0-1",
        architecture=architecture,
        source=package,
        suite="trixie",
        pool_path=f"pool/{package}.deb",
        file=make_file(f"{package}_1.0-1_{architecture}.deb"),
        platforms=platforms,
    )


def inputs() -> Inputs:
    built = BuiltWheel(
        sdist=make_file("beta-1.0.tar.gz"),
        requires=(("setuptools", "80.0", make_file("setuptools-80.0-py3-none-any.whl")),),
        compilers=Digest.of(b"compilers"),
    )
    stack = make_lock(
        make_candidate("alpha"),
        make_candidate("beta", built=built, index="internal"),
        make_candidate("gamma", wheels={ARM64.name: make_file("gamma-1.0-cp313-cp313-linux_aarch64.whl")}),
        constraints=Digest.of(b"constraints"),
        files=(("opt/airflow/x.cfg", make_file("x.cfg")),),
    )
    base = BaseLock(
        name="trixie",
        inputs=Digest.of(b"inputs"),
        release="trixie",
        python_version="3.13.5",
        glibc="2.41",
        created=0,
        releases=(ReleaseRecord(suite="trixie", date=0, sha256=Digest.of(b"release")),),
        debs=(deb("bash", "amd64"), deb("bash", "arm64"), deb("tzdata")),
        base=make_base(),
        compilers=(deb("gcc"),),
    )
    return Inputs(stack=stack, lock=LOCK, base=base)


def roles(predicate: Mapping[str, Any]) -> Counter[str]:
    return Counter(one["annotations"]["role"] for one in predicate["buildDefinition"]["resolvedDependencies"])


def test_every_input_stands_in_it_by_its_hash() -> None:
    predicate = make_provenance(inputs(), IMAGE, RUN)
    assert roles(predicate) == {
        "lock": 1,
        "base lock": 1,
        "constraints": 1,
        "release": 1,
        "wheel": 3,
        "sdist": 1,
        "build requirement": 1,
        "deb": 3,
        "compiler": 1,
        "file": 1,
    }
    described = {one["name"]: one for one in predicate["buildDefinition"]["resolvedDependencies"]}
    assert described["bash_1.0-1_amd64.deb"] == {
        "name": "bash_1.0-1_amd64.deb",
        "uri": "pkg:deb/debian/bash@1.0-1?arch=amd64&distro=trixie",
        "digest": {"sha256": make_file("bash_1.0-1_amd64.deb").sha256.hex},
        "annotations": {"role": "deb"},
    }
    assert described["beta-1.0-py3-none-any.whl"]["annotations"] == {"role": "wheel", "index": "internal"}
    assert described["beta-1.0.tar.gz"]["uri"] == "pkg:pypi/beta@1.0?file_name=beta-1.0.tar.gz"


def test_only_what_its_platforms_hold_stands_in_it() -> None:
    image = replace(IMAGE, platforms=IMAGE.platforms[:1])
    predicate = make_provenance(inputs(), image, RUN)
    assert roles(predicate)["wheel"] == 2
    assert roles(predicate)["deb"] == 2
    plain = replace(inputs(), stack=make_lock(make_candidate()))
    assert "compiler" not in roles(make_provenance(plain, IMAGE, RUN))


def test_it_is_the_same_each_time_and_holds_no_time_unless_told() -> None:
    first, second = (dump_json(make_provenance(inputs(), IMAGE, RUN)) for _ in range(2))
    assert first == second
    assert "metadata" not in json.loads(first)["runDetails"]
    told = replace(RUN, invocation="https://ci/1", started=0, finished=60, formats=("segment 1",))
    predicate = make_provenance(inputs(), IMAGE, told)
    assert predicate["runDetails"]["metadata"] == {
        "invocationId": "https://ci/1",
        "startedOn": "1970-01-01T00:00:00Z",
        "finishedOn": "1970-01-01T00:01:00Z",
    }
    assert predicate["buildDefinition"]["internalParameters"]["formats"] == ["segment 1"]


def test_others_read_it_as_slsa_provenance() -> None:
    told = replace(RUN, invocation="https://ci/1", started=0, finished=60)
    predicate = make_provenance(inputs(), IMAGE, told)
    data = dump_statement(
        Statement(
            digest=Digest.of(b"image"),
            name="registry.example.org/a",
            predicate_type="https://slsa.dev/provenance/v1",
            predicate=predicate,
        )
    )
    message = ParseDict(json.loads(data), StatementMessage())
    OtherStatement.copy_from_pb(message).validate()
    # Unknown fields are errors here.
    provenance = ParseDict(predicate, provenance_pb2.Provenance())
    assert provenance.build_definition.build_type == BUILD_TYPE
    assert len(provenance.build_definition.resolved_dependencies) == 14
    assert provenance.run_details.builder.id == "urn:airflow-kubler:builder:v1:own:local"


def test_builders_are_apart_by_engine_and_by_who_vouches_for_the_machine() -> None:
    ids = {builder_id(engine, platform) for engine in ("own", "buildkit") for platform in ("local", "github-actions")}
    assert len(ids) == 4
    with pytest.raises(InvalidInputError, match="no engine"):
        builder_id("kaniko")
    assert platform_of_run("https://gitlab.example.org/a/-/jobs/7") == "gitlab-ci"
    assert platform_of_run("https://jenkins.example.org/7") == "ci"
    assert platform_of_run("") == "local"


EXPECTED = Expected(stack="etl", lock=LOCK, image=IMAGE)


def test_what_was_made_is_what_is_expected() -> None:
    predicate = make_provenance(inputs(), IMAGE, RUN)
    assert check_provenance(predicate, EXPECTED, context="p") == Claims(
        builder=builder_id("own"), hermetic=True, pinned_dependencies="all", invocation="", dependencies=14
    )


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p["buildDefinition"].update(buildType="https://other/v1"), "is of the build type"),
        (lambda p: p["runDetails"]["builder"].update(id="https://evil/v1"), "names the builder 'https://evil/v1'"),
        (lambda p: p["runDetails"]["builder"].pop("id"), "id must be a string"),
        (lambda p: p["buildDefinition"]["externalParameters"].update(script="curl | sh"), "not known: 'script'"),
        (lambda p: p["buildDefinition"]["externalParameters"].update(stack="core"), "says stack 'core'"),
        (lambda p: p["buildDefinition"]["externalParameters"].update(lock="sha256:00"), "says lock 'sha256:00'"),
        (lambda p: p["buildDefinition"]["externalParameters"].update(platforms=["linux/amd64"]), "says platforms"),
        (lambda p: p["buildDefinition"]["externalParameters"].update(compression="gzip"), "says compression 'gzip'"),
        (lambda p: p["buildDefinition"]["externalParameters"].pop("lock"), "says lock None"),
        (lambda p: p["buildDefinition"].update(externalParameters=[]), "not a JSON object"),
        (lambda p: p["buildDefinition"].update(resolvedDependencies={}), "must be a list"),
        (lambda p: p.pop("runDetails"), "not a JSON object"),
    ],
)
def test_provenance_that_says_otherwise_is_refused(change: Change, says: str) -> None:
    predicate = json.loads(json.dumps(make_provenance(inputs(), IMAGE, RUN)))
    change(predicate)
    with pytest.raises(BuilderError, match=says):
        check_provenance(predicate, EXPECTED, context="p")


def test_builders_may_be_restricted() -> None:
    predicate = make_provenance(inputs(), IMAGE, RUN)
    with pytest.raises(BuilderError, match="allowed are urn:airflow-kubler:builder:v1:own:github-actions"):
        check_provenance(predicate, replace(EXPECTED, builders=(builder_id("own", "github-actions"),)), context="p")
    check_provenance(predicate, replace(EXPECTED, builders=(builder_id("own"),)), context="p")


def test_what_it_claims_is_told_and_not_made_up() -> None:
    predicate = json.loads(json.dumps(make_provenance(inputs(), IMAGE, RUN)))
    predicate["buildDefinition"]["internalParameters"] = {"hermetic": "yes"}
    claims = check_provenance(predicate, EXPECTED, context="p")
    assert (claims.hermetic, claims.pinned_dependencies) == (False, "")
