"""What the first process of a container is."""

from __future__ import annotations

import pytest

from builder.errors import BuildError
from builder.oci.config import RunConfig
from builder.run.model import RunWish
from builder.run.process import make_process

CONFIG = RunConfig(
    user="50000:0",
    env=("PATH=/usr/bin", "A=1=2"),
    entrypoint=("/entrypoint",),
    cmd=("version",),
    working_dir="/opt/airflow",
)


def test_command_follows_the_entrypoint() -> None:
    assert make_process(CONFIG, RunWish(command=("bash", "-c", "x"))).argv == ("/entrypoint", "bash", "-c", "x")


def test_without_a_command_the_images_own_runs() -> None:
    assert make_process(CONFIG, RunWish(command=())).argv == ("/entrypoint", "version")


def test_wished_variables_win_over_the_images() -> None:
    process = make_process(CONFIG, RunWish(command=(), env=(("PATH", "/x"), ("B", "3"))))
    assert process.env == (("A", "1=2"), ("B", "3"), ("PATH", "/x"))


def test_terminal_gets_a_name_for_itself() -> None:
    assert ("TERM", "xterm") in make_process(CONFIG, RunWish(command=(), terminal=True)).env


def test_user_and_folder_are_the_images() -> None:
    process = make_process(CONFIG, RunWish(command=()))
    assert (process.uid, process.gid, process.workdir) == (50000, 0, "/opt/airflow")
    assert make_process(CONFIG, RunWish(command=(), workdir="/mnt")).workdir == "/mnt"


def test_user_by_name_is_refused() -> None:
    config = RunConfig(user="airflow", env=(), entrypoint=(), working_dir="/")
    with pytest.raises(BuildError, match="user 'airflow' is not written as numbers"):
        make_process(config, RunWish(command=()))
