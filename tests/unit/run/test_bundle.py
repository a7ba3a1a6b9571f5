"""The config of an OCI runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builder.run.bundle import runtime_config
from builder.run.client import run_arguments
from builder.run.model import RunWish, Volume
from builder.run.process import Process

PROCESS = Process(argv=("/entrypoint",), env=(("A", "1"),), workdir="/", uid=50000, gid=0)


def make_config(wish: RunWish) -> dict[str, Any]:
    return runtime_config(PROCESS, wish, root=Path("/root-folder"), home=Path("/home-folder"), hosts=Path("/hosts"))


def test_process_has_no_capabilities_and_gains_none() -> None:
    process = make_config(RunWish(command=()))["process"]
    assert process["noNewPrivileges"] is True
    assert not any(process["capabilities"].values())
    assert process["user"] == {"uid": 50000, "gid": 0, "umask": 0o002}


def test_root_is_read_only_unless_wished_otherwise() -> None:
    assert make_config(RunWish(command=()))["root"] == {"path": "/root-folder", "readonly": True}
    assert make_config(RunWish(command=(), read_only=False))["root"]["readonly"] is False


def test_network_none_gets_a_namespace_and_no_name_resolution() -> None:
    config = make_config(RunWish(command=(), network="none"))
    assert {"type": "network"} in config["linux"]["namespaces"]
    assert "/etc/resolv.conf" not in {mount["destination"] for mount in config["mounts"]}
    assert {"type": "network"} not in make_config(RunWish(command=()))["linux"]["namespaces"]


def test_volumes_come_after_the_home_they_may_lie_in() -> None:
    volume = Volume(source=Path("/dags"), target="/opt/airflow/dags", read_only=True)
    mounts = make_config(RunWish(command=(), volumes=(volume,)))["mounts"]
    assert [mount["destination"] for mount in mounts].index("/opt/airflow") < len(mounts) - 1
    assert mounts[-1]["source"] == "/dags"
    assert mounts[-1]["options"][:2] == ["rbind", "ro"]


def test_values_of_variables_are_no_arguments_of_clients() -> None:
    arguments = run_arguments(RunWish(command=("version",), env=(("PASSWORD", "secret"),)), "image")
    assert "--env=PASSWORD" in arguments
    assert not any("secret" in argument for argument in arguments)
    assert arguments[-2:] == ("image", "version")
