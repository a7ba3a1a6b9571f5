import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml
from packaging.version import Version

from builder.deploy.forms import FORMATS, choose_form, render_form
from builder.deploy.helm import Pin, parse_chart_version
from builder.deploy.options import FormOptions
from builder.errors import InvalidInputError
from tests.golden.write_deploy import FORMS, GOLDEN, SCHEMAS, iter_golden
from tests.support.deployments import REPOSITORY, an_answer

FILES = dict(iter_golden())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_bytes_are_those_committed(path: Path) -> None:
    assert path.read_bytes() == FILES[path], "run `make schemas` where a form or a shape changed on purpose"


def test_nothing_else_is_committed_beside_them() -> None:
    assert {*GOLDEN.iterdir(), *SCHEMAS.iterdir()} == set(FILES)
    assert {format_name for format_name, _ in FORMS.values()} == set(FORMATS)


@pytest.mark.parametrize("format_name", ["helm", "kustomize", "argocd", "flux", "terraform"])
def test_an_image_without_a_tag_is_pinned_by_its_digest_alone(format_name: str) -> None:
    text = render_form(format_name, an_answer(tag=""), FormOptions())
    assert "core-2026" not in text
    assert an_answer().digest.removeprefix("sha256:") in text


def test_a_tag_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidInputError, match="has no tag there that the ledger knows"):
        render_form("helm", an_answer(tag=""), FormOptions(pin=Pin.TAG))


def test_a_shell_reads_the_variables_as_they_are() -> None:
    text = render_form("env", an_answer(), FormOptions())
    said = subprocess.run(
        ["sh", "-euc", f'{text}printf "%s|%s" "$AIRFLOW_IMAGE_NAME" "$AIRFLOW_KUBLER_CHANNEL"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == f"{an_answer().reference}|prod"
    for line in text.splitlines():
        assert shlex.quote(line) == line


def test_local_values_are_the_variables() -> None:
    variables = json.loads(render_form("terraform", an_answer(), FormOptions()))
    local = json.loads(render_form("terraform", an_answer(), FormOptions(form="locals")))
    assert local == {"locals": variables}
    assert set(variables) == {"airflow_image", "airflow_helm_values"}


@pytest.mark.parametrize(
    ("chart", "keeps_up"),
    [(None, False), (Version("1.22.0"), False), (Version("1.23.0"), True)],
    ids=["any", "1.22", "1.23"],
)
def test_flux_is_told_to_keep_up_only_what_it_can(chart: Version | None, *, keeps_up: bool) -> None:
    text = render_form("flux", an_answer(), FormOptions(chart=chart))
    markers = [line.partition(" # ")[2] for line in text.splitlines() if "$imagepolicy" in line]
    wanted = ['{"$imagepolicy": "flux-system:core-prod:name"}', '{"$imagepolicy": "flux-system:core-prod:digest"}']
    assert markers == (wanted if keeps_up else [])


def test_the_newest_tag_of_a_stack_is_the_last_as_text() -> None:
    _, policy = yaml.safe_load_all(render_form("flux", an_answer(), FormOptions(form="newest")))
    spec = policy["spec"]
    tags = ["core-20261130.02", "core-20261129.11", "core-20261130.01", "core-py311-20261201.01", "prod", "core-x"]
    found = {
        tag: match.expand(re.sub(r"\$(\w+)", r"\\g<\1>", spec["filterTags"]["extract"]))
        for tag in tags
        if (match := re.search(spec["filterTags"]["pattern"], tag))
    }
    assert spec["policy"] == {"alphabetical": {"order": "asc"}}
    assert sorted(found, key=found.__getitem__) == ["core-20261129.11", "core-20261130.01", "core-20261130.02"]


def test_what_follows_a_tag_needs_a_channel() -> None:
    image = msgspec.structs.replace(an_answer(), channel="", move=None)
    for format_name, form in (("argocd", "image-updater"), ("flux", "policy")):
        with pytest.raises(InvalidInputError, match="name a --channel"):
            render_form(format_name, image, FormOptions(form=form))


@pytest.mark.parametrize("name", ["UPPER", "a b", "a: b", "-a", "a\nb", "{{ x }}", "x" * 64])
def test_names_that_kubernetes_has_not_are_refused(name: str) -> None:
    for format_name, form in (("flux", ""), ("argocd", "image-updater")):
        with pytest.raises(InvalidInputError, match="is no name of"):
            render_form(format_name, an_answer(), FormOptions(form=form, name=name))


def test_an_option_that_says_nothing_is_told() -> None:
    with pytest.raises(InvalidInputError) as told:
        render_form("env", an_answer(), FormOptions(chart=Version("1.22.0")))
    assert str(told.value) == "digest: chart says nothing to env\n  it is for argocd, flux, helm, terraform"


def test_forms_are_known_by_name() -> None:
    assert choose_form("flux", "") == "release"
    with pytest.raises(InvalidInputError, match="it has release, policy, newest"):
        choose_form("flux", "helm")
    with pytest.raises(InvalidInputError, match="it has one form only"):
        choose_form("helm", "x")


@pytest.mark.parametrize("text", ["2.0.0", "0.9", "latest", ""])
def test_charts_that_nobody_has_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_chart_version(text)


def test_a_comment_ends_with_its_line() -> None:
    options = FormOptions(patches=FORMS["kustomize-manifests.yaml"][1].patches, manifests=("a\nkind: Pod #",))
    text = render_form("kustomize", an_answer(), options)
    assert yaml.safe_load(text) == yaml.safe_load(
        render_form("kustomize", an_answer(), replace(options, manifests=("b",)))
    )
    assert REPOSITORY in text
