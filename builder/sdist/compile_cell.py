"""The cell for native code: a step of BuildKit's, on the base's debs and its compilers, without network.

1. The root folder becomes an image of the daemon, once for each; its name is the digest of what is in it.
2. Each hook is one step, never taken from BuildKit's cache, so that two builds are two builds.
3. What came of it leaves as files of a stage that holds nothing else.

The step's first process bounds the rest: see bounds.py.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.buildkit.client import NAMESPACE, DockerClient, find_docker
from builder.errors import ToolError
from builder.sdist import bounds
from builder.sdist.cell import ENVIRONMENT, REQUIRES, USER, CellAnswer, CellTask, fill_folder

_SLACK_S = 300
"""For the daemon, beside the build's own time."""
CACHE_LABEL = "airflow-kubler.cache=build-root"
"""On images that stay in the daemon: `docker image prune --all --filter label=airflow-kubler.cache` removes them."""
_HINT = (
    "compile where docker is, or have the wheel from an archive or index: "
    "see docs/sdists.md; `docker version` tells whether the daemon runs"
)
_SCRATCH = ("/build/src", "/build/out", "/tmp", "/var/tmp")  # noqa: S108 - paths in the cell


@dataclass(frozen=True, slots=True)
class CompileCell:
    """Runs build backends by BuildKit.

    Args:
        environment: of the docker client.
        scratch: where its folders are made.
    """

    environment: Mapping[str, str]
    scratch: Path

    def run(self, task: CellTask) -> CellAnswer:
        """Run a hook to its end.

        Raises:
            ToolError: there is no docker here, or its daemon fails.
        """
        try:
            docker = find_docker(self.environment)
        except ToolError as error:
            message = f"native code is compiled by BuildKit, through docker: {error.message}"
            raise ToolError(message, argv=["docker"], hint=_HINT) from error
        image = self._ensure_root(docker, task.root)
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="compile-") as name:
            folder = Path(name)
            context, out = folder / "context", folder / "out"
            context.mkdir()
            fill_folder(context, task)
            (context / "bounds.py").write_bytes(Path(bounds.__file__).read_bytes())
            (context / "settings.json").write_text(json.dumps(_settings(task)))
            (context / "Dockerfile").write_text(_dockerfile(image, task.python))
            words = ["--no-cache", "--network", "none", "--output", f"type=local,dest={out}", str(context)]
            docker.build(words, "the step that compiles", seconds=task.limits.wall_s + _SLACK_S, hint=_HINT)
            said = json.loads((out / "status.json").read_text())
            return CellAnswer(
                status=int(said["status"]),
                timed_out=bool(said["timed_out"]),
                output=(out / "output").read_bytes().decode("utf-8", "replace"),
                result=(out / "result").read_bytes(),
            )

    def _ensure_root(self, docker: DockerClient, root: Path) -> str:
        """Have the daemon hold a root folder as an image; the folder's name is the digest of what is in it.

        It stays, as a cache: packages of a compiler take longer to load than most sdists to compile. The label lets
        `docker image prune` remove it.
        """
        name = f"{NAMESPACE}/build-root:{root.name[:40]}"
        if docker.has(name):
            return name
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="compile-") as folder:
            archive = Path(folder) / "root.tar"
            with tarfile.open(archive, "w") as tar:
                tar.add(root, arcname=".", filter=_as_root)
            words = ["import", "--change", f"LABEL {CACHE_LABEL}", str(archive), name]
            docker.run(words, "loading what is compiled in", seconds=_SLACK_S, hint=_HINT)
        return name


def _dockerfile(image: str, python: str) -> str:
    bound = {
        "sdist": "/build/sdist",
        REQUIRES: f"/{REQUIRES}",
        "driver.py": "/build/driver.py",
        "bounds.py": "/build/job/bounds.py",
        "settings.json": "/build/job/settings.json",
    }
    mounts = " ".join(f"--mount=type=bind,source={source},target={target}" for source, target in bound.items())
    argv = [f"/usr/bin/python{python}", "-I", "-S", "-B", "/build/job/bounds.py", "/build/job/settings.json"]
    return f"FROM {image} AS build\nRUN {mounts} {json.dumps(argv)}\nFROM scratch\nCOPY --from=build /build/answer/ /\n"


def _settings(task: CellTask) -> dict[str, object]:
    limits = task.limits
    return {
        "argv": [f"/{REQUIRES}/bin/python", "-s", "-P", "/build/driver.py", json.dumps(task.request)],
        "env": ENVIRONMENT,
        "user": USER,
        "wall": limits.wall_s,
        "scratch": _SCRATCH,
        "result": limits.file_size,
        "limits": {
            "as": limits.memory,
            "core": 0,
            "cpu": limits.cpu_s,
            "fsize": limits.file_size,
            "nofile": limits.open_files,
            "nproc": limits.processes,
        },
    }


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    if member.name.rpartition("/")[2] == "tmp":
        member.mode = 0o1777
    return member
