"""What a team's files become."""

from __future__ import annotations

import tomllib

import pytest

from builder.errors import InvalidInputError
from builder.stack.reader import parse_stack
from builder.usecase.import_ import Found, read_files, render_stack

DOCKERFILE = """\
# ours
ARG AIRFLOW_VERSION=2.9.2
FROM apache/airflow:${AIRFLOW_VERSION}-python3.11
USER root
RUN apt-get update && apt-get install -y libpq5
USER airflow
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" \\
    "apache-airflow-providers-snowflake>=5" \\
    -r /requirements.txt
RUN uv pip install dbt-core~=1.8 --constraint https://host/constraints.txt
"""
REQUIREMENTS = """\
-r more.txt
requests[socks]==2.31.0 \\
    --hash=sha256:00
pandas<3 ; python_version < "3.13"  # why
git+https://host/thing
"""


def _read(**files: str) -> Found:
    texts = {name.replace("_", "."): text for name, text in files.items()}
    return read_files((next(iter(texts)),), texts.get)


def test_a_dockerfile_on_the_official_image_is_taken_over() -> None:
    found = _read(Dockerfile=DOCKERFILE, requirements_txt="boto3>=1.34\n")
    assert (found.airflow, found.python) == ("2.9.2", "3.11")
    assert found.requirements == (
        "apache-airflow-providers-snowflake>=5",
        "boto3>=1.34",
        "dbt-core~=1.8",
    )
    assert found.notes == (
        "Dockerfile: line 5: not taken over: RUN apt-get update",
        "Dockerfile: line 5: not taken over: RUN apt-get install -y libpq5",
        "Dockerfile: line 11: not taken over: --constraint https://host/constraints.txt",
    )


def test_requirements_are_taken_over_with_what_they_include() -> None:
    found = _read(requirements_txt=REQUIREMENTS, more_txt="attrs\n-r requirements.txt\n")
    assert found.requirements == ("attrs", "requests[socks]==2.31.0", 'pandas<3; python_version < "3.13"')
    assert found.notes == ("requirements.txt: line 5: not taken over: git+https://host/thing: no project of an index",)


def test_of_a_lock_only_what_nothing_else_requires_is_asked_for() -> None:
    text = """\
[[packages]]
name = "apache-airflow"
version = "3.3.2"
[[packages]]
name = "requests"
version = "2.31.0"
dependencies = [{name = "idna"}]
[[packages]]
name = "idna"
version = "3.7"
"""
    found = _read(pylock_toml=text)
    assert (found.airflow, found.requirements) == ("3.3.2", ("requests==2.31.0",))
    assert found.notes == ("pylock.toml: 1 of its projects are required by others: the lock finds them again",)


def test_what_is_written_is_a_stack() -> None:
    found = _read(Dockerfile=DOCKERFILE, requirements_txt="")
    text = render_stack(found, description='a "b"', airflow="2.9.2", base="bookworm")
    stack = parse_stack(text.encode(), name="etl", file="stacks/etl/stack.toml")
    assert stack.requirements == found.requirements
    assert (stack.airflow_version, stack.base, stack.description) == ("2.9.2", "bookworm", 'a "b"')


HARD = """\
FROM apache/airflow:2.9.2
ENV AIRFLOW__CORE__LOAD_EXAMPLES=false TOKEN=geheim
COPY dags/ /opt/airflow/dags/
COPY reqs/base.txt /base.txt
RUN --mount=type=cache,target=/var/cache/pip apt-get update && python -m pip install --no-cache-dir \\
    # the team's own
    'pandas<3; python_version < "3.13"' \\

    --index-url=https://me:geheim@host/simple \\
    -r/base.txt ; echo done
RUN pip install -e . git+https://me:geheim@host/x.git --frobnicate
HEALTHCHECK NONE
"""


def test_whatever_a_dockerfile_does_besides_is_told_by_line_and_without_secrets() -> None:
    found = _read(Dockerfile=HARD, base_txt="boto3\n")
    assert found.requirements == ('pandas<3; python_version < "3.13"', "boto3")
    assert found.notes == (
        "Dockerfile: line 1: the image's tag names no Python: the base decides it",
        "Dockerfile: line 2: not taken over: ENV AIRFLOW__CORE__LOAD_EXAMPLES, TOKEN: set it where the image runs",
        "Dockerfile: line 5: not taken over: RUN apt-get update",
        "Dockerfile: line 5: not taken over: --index-url https://***@host/simple",
        "Dockerfile: line 5: not taken over: RUN echo done",
        "Dockerfile: line 11: not taken over: -e .",
        "Dockerfile: line 11: not taken over: git+https://***@host/x.git: no project of an index",
        "Dockerfile: line 11: not taken over: --frobnicate",
        "Dockerfile: line 12: not taken over: HEALTHCHECK NONE",
        "Dockerfile: line 3: not taken over: dags/: stacks/<name>/files/ is copied into images",
    )


def test_variables_that_double_fill_no_memory() -> None:
    text = "ARG A=xxxxxxxx\n" + "ARG A=$A$A\n" * 60
    with pytest.raises(InvalidInputError, match="grows to more than"):
        read_files(("Dockerfile",), {"Dockerfile": text}.get)


@pytest.mark.parametrize(
    "text", ["packages = 5", "packages = [1]", "[[packages]]\ndependencies = 1", "a=" + "[" * 9999]
)
def test_a_lock_of_another_shape_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^pylock\.toml: "):
        read_files(("pylock.toml",), {"pylock.toml": text}.get)


@pytest.mark.parametrize("named", ["/etc/passwd", "../../secret.txt", "a/../../../secret.txt"])
def test_requirements_are_read_from_nowhere_else(named: str) -> None:
    asked: list[str] = []

    def read(name: str) -> str | None:
        asked.append(name)
        return f"-r {named}\nalpha\n"

    found = read_files(("team/requirements.txt",), read)
    assert asked == ["team/requirements.txt"]
    assert found.requirements == ("alpha",)
    assert "it lies elsewhere" in found.notes[0]


def test_a_file_that_many_name_is_read_once() -> None:
    texts = {f"{number}.txt": f"-r {number + 1}.txt\n-r ./{number + 1}.txt\n" for number in range(40)}
    asked: list[str] = []

    def read(name: str) -> str | None:
        asked.append(name)
        return texts.get(name, "alpha\n-r 0.txt\n")

    assert read_files(("0.txt",), read).requirements == ("alpha",)
    assert len(asked) == 41


def test_requirements_beside_and_above_are_read_within_the_folder() -> None:
    texts = {"team/dev.txt": "-r base.txt\n-r ../all.txt\n", "team/base.txt": "alpha\n", "all.txt": "beta\n"}
    assert read_files(("team/dev.txt",), texts.get).requirements == ("alpha", "beta")


def test_the_official_images_own_version_is_known_in_its_dockerfile() -> None:
    text = 'FROM apache/airflow:3.3.2-python3.13\nRUN pip install "apache-airflow==${AIRFLOW_VERSION}" alpha\n'
    found = read_files(("Dockerfile",), {"Dockerfile": text}.get)
    assert (found.requirements, found.airflow, found.notes) == (("alpha",), "3.3.2", ())


def test_control_characters_leave_the_file_readable() -> None:
    found = Found(requirements=('alpha; platform_version == "\x01\x7f"',), airflow=None, python=None, notes=())
    text = render_stack(found, description='a\n\x02"\\', airflow="3.3.2", base="trixie")
    assert tomllib.loads(text)["description"] == 'a\n\x02"\\'
