"""Writes tests/golden/deploy, a file for each form of `digest`, and docs/schemas. Run by `make schemas`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from builder.deploy.forms import FORMATS, render_form
from builder.deploy.helm import Pin
from builder.deploy.options import FormOptions, Patch
from builder.deploy.schemas import published_schemas
from tests.support.deployments import an_answer, others

GOLDEN = Path(__file__).with_name("deploy")
SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
_CHART = Version("1.23.0")
_PATCH = Patch(
    config_map="airflow-config",
    namespace="airflow",
    key="pod_template_file.yaml",
    text="apiVersion: v1\nkind: Pod\nspec:\n  containers: []\n",
)

FORMS: Mapping[str, tuple[str, FormOptions]] = {
    "ref.txt": ("ref", FormOptions()),
    "json.json": ("json", FormOptions()),
    "env.env": ("env", FormOptions()),
    "helm.yaml": ("helm", FormOptions()),
    "helm-pin-digest.yaml": ("helm", FormOptions(pin=Pin.DIGEST)),
    "helm-pin-digest-1.23.yaml": ("helm", FormOptions(pin=Pin.DIGEST, chart=_CHART)),
    "kustomize.yaml": ("kustomize", FormOptions()),
    "kustomize-manifests.yaml": ("kustomize", FormOptions(patches=(_PATCH,), manifests=("base.yaml",))),
    "argocd.yaml": ("argocd", FormOptions()),
    "argocd-image-updater.yaml": ("argocd", FormOptions(form="image-updater", is_other_form=True)),
    "flux.yaml": ("flux", FormOptions()),
    "flux-1.23.yaml": ("flux", FormOptions(chart=_CHART)),
    "flux-policy.yaml": ("flux", FormOptions(form="policy", is_other_form=True)),
    "flux-newest.yaml": ("flux", FormOptions(form="newest", is_other_form=True)),
    "terraform.tfvars.json": ("terraform", FormOptions()),
    "terraform-locals.tf.json": ("terraform", FormOptions(form="locals", is_other_form=True)),
}


def iter_golden() -> Iterator[tuple[Path, bytes]]:
    """Make each file's bytes anew."""
    for name, (format_name, options) in FORMS.items():
        if "chart" in FORMATS[format_name].takes:
            options = replace(options, others=others())  # noqa: PLW2901  the same, completed
        yield GOLDEN / name, render_form(format_name, an_answer(), options).encode()
    for name, data in published_schemas().items():
        yield SCHEMAS / name, data


def main() -> None:
    """Write all."""
    for path, data in iter_golden():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
