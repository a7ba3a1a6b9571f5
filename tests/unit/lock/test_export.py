from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from packaging.pylock import Pylock
from packaging.requirements import Requirement

from builder.cli.lock_export import command
from builder.digest import Digest
from builder.errors import LockInvalidError
from builder.lock.export import FORMATS, Export, make_export
from builder.lock.model import BuiltWheel, StackLock
from builder.platform import AMD64, ARM64
from tests.support.stack_locks import make_candidate, make_file, make_lock, stack_locks

DIGEST = Digest.of(b"lock")


def make() -> Export:
    native = {
        AMD64.name: make_file("beta-2.0-cp313-cp313-manylinux_2_28_x86_64.whl"),
        ARM64.name: make_file("beta-2.0-cp313-cp313-manylinux_2_28_aarch64.whl"),
    }
    here = {AMD64.name: make_file("gamma-3.0-py3-none-any.whl")}
    lock = make_lock(
        make_candidate("alpha", "1.0", dependencies=("beta", "gamma")),
        make_candidate("beta", "2.0", wheels=native, wanted_by=("alpha",)),
        make_candidate("gamma", "3.0", wheels=here, wanted_by=("alpha",)),
    )
    return make_export(lock, DIGEST)


def test_requirements_name_each_wheel_by_hash_and_no_host() -> None:
    export = make()
    alpha, beta, gamma = export.lock.candidates
    assert FORMATS["requirements"](export).decode() == (
        f"# Made by `airflow-kubler lock export etl --format requirements` from locks/pylock.etl.toml, {DIGEST}.\n"
        "# For Python 3.13, linux/amd64, linux/arm64.\n"
        "alpha==1.0 \\\n"
        f"    --hash=sha256:{alpha.wheels[AMD64.name].sha256.hex}\n"
        "beta==2.0 \\\n"
        f"    --hash=sha256:{beta.wheels[AMD64.name].sha256.hex} \\\n"
        f"    --hash=sha256:{beta.wheels[ARM64.name].sha256.hex}\n"
        "gamma==3.0 ; platform_machine == 'x86_64' \\\n"
        f"    --hash=sha256:{gamma.wheels[AMD64.name].sha256.hex}\n"
    )


def test_one_platform_needs_no_marker_and_leaves_out_what_it_does_not_install() -> None:
    lock = make().lock
    lines = FORMATS["constraints"](make_export(lock, DIGEST, [AMD64])).decode().splitlines()
    assert lines[2:] == ["alpha==1.0", "beta==2.0", "gamma==3.0"]
    lines = FORMATS["constraints"](make_export(lock, DIGEST, [ARM64])).decode().splitlines()
    assert lines[2:] == ["alpha==1.0", "beta==2.0"]


def test_a_wheel_built_here_is_told_to_be_on_no_index() -> None:
    export = make()
    sdist = replace(make_file("alpha-1.0-py3-none-any.whl"), name="alpha-1.0.tar.gz")
    built = replace(export.lock.candidates[0], built=BuiltWheel(sdist=sdist, requires=()))
    lock = replace(export.lock, candidates=(built, *export.lock.candidates[1:]))
    assert b"# No index has a wheel of it: this one was built from alpha-1.0.tar.gz.\nalpha==1.0" in FORMATS[
        "requirements"
    ](make_export(lock, DIGEST))


def test_a_platform_that_the_lock_is_not_for_is_refused() -> None:
    lock = replace(make_lock(make_candidate("alpha", "1.0")), platforms=(AMD64,))
    with pytest.raises(LockInvalidError, match="is not for linux/arm64"):
        make_export(lock, DIGEST, [ARM64])


def test_pylock_is_standard_and_lacks_our_tables_of_candidates() -> None:
    values = tomllib.loads(FORMATS["pylock"](make()).decode())
    pylock = Pylock.from_dict(values)
    pylock.validate()
    assert [package.name for package in pylock.packages] == ["alpha", "beta", "gamma"]
    assert values["tool"] == {"airflow-kubler": {"exported-from": str(DIGEST), "stack": "etl"}}
    assert all("tool" not in package for package in values["packages"])
    assert str(pylock.packages[2].marker) == 'platform_machine == "x86_64"'


def test_options_of_the_verb_are_the_forms_there_are_and_the_bill_of_materials() -> None:
    (option,) = (option for option in command.params if option.name == "form")
    assert list(option.type.choices) == [*FORMATS, "cyclonedx"]  # type: ignore[attr-defined]  # of click.Choice


@settings(max_examples=40, deadline=None)
@given(stack_locks())
def test_every_lock_can_be_exported_in_every_form_with_stable_bytes(lock: StackLock) -> None:
    export = make_export(lock, DIGEST)
    for form, dump in FORMATS.items():
        data = dump(export)
        assert data == dump(make_export(lock, DIGEST))
        if form == "pylock":
            Pylock.from_dict(tomllib.loads(data.decode())).validate()
        if form == "constraints":
            lines = [line for line in data.decode().splitlines() if not line.startswith("#")]
            assert len([Requirement(line) for line in lines]) == len(lock.candidates)
