"""A few distributions of the shipped `core` as a stack of their own: real wheels on a real base, built in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.digest import Digest
from builder.lock.model import LockedFile
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.platform import Platform
from builder.wiring.stores import make_file_store
from tests.support.tools import ROOT

PROJECTS = frozenset({"click", "dill", "greenlet", "httpx", "jmespath", "lazy-object-proxy", "markupsafe", "pyyaml"})
"""Native code, headers, scripts in a data folder, entry points, bytecode that must be compiled twice."""


def write_small_stack(project: Path, base: Path, platform: Platform) -> None:
    """Write the locks of a stack `small` into a project folder.

    Args:
        project: with the folders stacks/ and locks/.
        base: a base's lock file, put beside it under its own name.
        platform: the one that it is for.
    """
    core = parse_stack_lock((ROOT / "locks/pylock.core.toml").read_bytes(), file="core")
    content = b"# a file of the stack\n"
    make_file_store().add(content)
    own = LockedFile(name="small.py", size=len(content), sha256=Digest.of(content))
    lock = replace(
        core,
        stack="small",
        base=base.name.split(".")[1],
        base_lock=Digest.of(base.read_bytes()),
        platforms=(platform,),
        candidates=tuple(
            replace(
                one,
                wheels={platform.name: one.wheels[platform.name]},
                dependencies=tuple(name for name in one.dependencies if name in PROJECTS),
                wanted_by=("stack:small",),
            )
            for one in core.candidates_for(platform)
            if one.project in PROJECTS
        ),
        plan=tuple(
            replace(layer, stack="small", projects=kept)
            for layer in core.plan
            if (kept := tuple(name for name in layer.projects if name in PROJECTS))
        ),
        files=(("opt/airflow/dags/small.py", own),),
    )
    (project / "locks/pylock.small.toml").write_bytes(dump_stack_lock(lock))
    if base.parent != project / "locks":
        (project / "locks" / base.name).write_bytes(base.read_bytes())
