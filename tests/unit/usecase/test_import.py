"""What a team's files become."""

from __future__ import annotations

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
        "Dockerfile: line 5: not taken over: RUN apt-get update && apt-get install -y libpq5",
        "Dockerfile: line 11: not taken over: --constraint https://host/constraints.txt",
    )


def test_requirements_are_taken_over_with_what_they_include() -> None:
    found = _read(requirements_txt=REQUIREMENTS, more_txt="attrs\n-r requirements.txt\n")
    assert found.requirements == ("attrs", "requests[socks]==2.31.0", 'pandas<3; python_version < "3.13"')
    assert found.notes == (
        "more.txt: line 2: names itself",
        "requirements.txt: line 5: not taken over: git+https://host/thing: no project of an index",
    )


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
    assert (found.airflow, found.requirements, found.notes) == ("3.3.2", ("requests==2.31.0",), ())


def test_what_is_written_is_a_stack() -> None:
    found = _read(Dockerfile=DOCKERFILE, requirements_txt="")
    text = render_stack(found, description='a "b"', airflow="2.9.2", base="bookworm")
    stack = parse_stack(text.encode(), name="etl", file="stacks/etl/stack.toml")
    assert stack.requirements == found.requirements
    assert (stack.airflow_version, stack.base, stack.description) == ("2.9.2", "bookworm", 'a "b"')
