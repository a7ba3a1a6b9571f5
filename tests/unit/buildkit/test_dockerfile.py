"""The Dockerfile of a locked stack."""

from __future__ import annotations

import pytest

from builder.buildkit.dockerfile import Recipe, Step, render_dockerfile
from builder.errors import BuildError
from builder.oci.config import RunConfig

GOLDEN = """\
# tiny for linux/amd64, from its lock. Written by airflow-kubler: not to be edited.
# DOCKER_BUILDKIT=1 docker build --network none .
ARG SOURCE_DATE_EPOCH=1

FROM scratch AS base
# base
ADD base/00.tar /

# tiny-a: a==1
FROM base AS layer-00
RUN --mount=type=bind,source=install,target=/mnt/install --mount=type=bind,source=layers/00,target=/mnt/layer \
["/usr/bin/python3.13", "-I", "-S", "-B", "/mnt/install/install_wheels.py", "/mnt/layer", "/out"]

FROM base
# tiny-a
COPY --from=layer-00 /out/ /
# files
ADD files/00.tar /

ENV A="$DESCRIPTION"
LABEL "l"="$DESCRIPTION"
EXPOSE 8080/tcp
WORKDIR /opt/airflow
USER 50000:0
ENTRYPOINT ["/entrypoint"]
CMD []
"""


def recipe(*, value: str = "x", name: str = "tiny-a") -> Recipe:
    return Recipe(
        stack="tiny",
        platform="linux/amd64",
        below=("base",),
        steps=(Step(name=name, distributions=("a==1",)),),
        above=("files",),
        interpreter="/usr/bin/python3.13",
        config=RunConfig(
            env=(f"A={value}",),
            entrypoint=("/entrypoint",),
            cmd=(),
            user="50000:0",
            working_dir="/opt/airflow",
            exposed_ports=("8080/tcp",),
            labels=(("l", value),),
        ),
        epoch=1,
    )


def test_dockerfile_is_the_golden_one() -> None:
    assert render_dockerfile(recipe()) == GOLDEN.replace("$DESCRIPTION", "x")


def test_values_are_quoted_for_the_grammar_of_dockerfiles() -> None:
    assert render_dockerfile(recipe(value='$HOME "a" \\')) == GOLDEN.replace("$DESCRIPTION", r"\$HOME \"a\" \\")


@pytest.mark.parametrize("hostile", ["a\nRUN rm -rf /", "a\rb", "a\0b", "a\u2028b"])
def test_a_line_end_in_a_name_or_value_is_refused(hostile: str) -> None:
    with pytest.raises(BuildError, match="cannot stand in a Dockerfile"):
        render_dockerfile(recipe(value=hostile))
    with pytest.raises(BuildError, match="cannot stand in a Dockerfile"):
        render_dockerfile(recipe(name=hostile))


def test_a_name_never_reaches_a_command() -> None:
    text = render_dockerfile(recipe(name="x; touch /pwned #"))
    assert [line for line in text.splitlines() if "pwned" in line and not line.startswith("# ")] == []
