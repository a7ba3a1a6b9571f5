"""The formats of `digest`, by name: their forms, and which options each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from builder.deploy.answer import DigestAnswer
from builder.deploy.argocd import render_argocd
from builder.deploy.flux import render_flux
from builder.deploy.kustomize import render_kustomize
from builder.deploy.options import FormOptions, chart_values, header
from builder.deploy.plain import render_env, render_json, render_ref, render_terraform
from builder.deploy.yaml_text import inline_leaves, render_yaml
from builder.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format."""

    render: Callable[[DigestAnswer, FormOptions], str]
    forms: tuple[str, ...] = ("",)
    """The first is the one where none is asked for."""
    takes: frozenset[str] = frozenset()
    """Options that say something to it, by their names in FormOptions."""


def _render_helm(image: DigestAnswer, options: FormOptions) -> str:
    return render_yaml(inline_leaves(chart_values(image, options)), header=header(image, "helm", options))


_CHART: Final = frozenset({"chart", "pin"})
FORMATS: Final[Mapping[str, Format]] = {
    "ref": Format(render=render_ref),
    "json": Format(render=render_json),
    "env": Format(render=render_env),
    "helm": Format(render=_render_helm, takes=_CHART),
    "kustomize": Format(render=render_kustomize, takes=frozenset({"pin", "images", "patches"})),
    "argocd": Format(
        render=render_argocd, forms=("application", "image-updater"), takes=_CHART | {"name", "namespace"}
    ),
    "flux": Format(render=render_flux, forms=("release", "policy", "newest"), takes=_CHART | {"name", "namespace"}),
    "terraform": Format(render=render_terraform, forms=("tfvars", "locals"), takes=_CHART),
}


def choose_form(format_name: str, form: str) -> str:
    """Give the form that was asked for, or the format's first; raises InvalidInputError."""
    known = FORMATS[format_name].forms
    if not form:
        return known[0]
    if form not in known:
        hint = f"it has {', '.join(known)}" if known != ("",) else "it has one form only"
        raise InvalidInputError(f"{format_name} has no form {form[:80]!r}", context="--form", hint=hint)
    return form


def render_form(format_name: str, image: DigestAnswer, options: FormOptions) -> str:
    """Render an image in a format; bytes are stable.

    Raises:
        InvalidInputError: an option says nothing to this format, or its value cannot stand in it.
    """
    chosen = FORMATS[format_name]
    said = {
        "chart": options.chart is not None,
        "pin": options.pin is not None,
        "name": bool(options.name),
        "namespace": bool(options.namespace),
        "images": bool(options.images),
        "patches": bool(options.patches),
    }
    for name, is_said in said.items():
        if is_said and name not in chosen.takes:
            takers = ", ".join(sorted(key for key, one in FORMATS.items() if name in one.takes))
            raise InvalidInputError(
                f"{name} says nothing to {format_name}", context="digest", hint=f"it is for {takers}"
            )
    return chosen.render(image, options)
