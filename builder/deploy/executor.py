"""The image of worker pods, by the rules of Airflow's KubernetesExecutor.

1. `[kubernetes_executor] worker_container_repository` and `worker_container_tag`: with both set, `repository:tag` replaces the image
   of the pod template's container `base`; with one of them empty the template's image stays.
2. An option is read from the environment (`AIRFLOW__KUBERNETES_EXECUTOR__...`), else from airflow.cfg; where the section lacks it, from
   the section `kubernetes` of Airflow before 2.5, which such Airflows read alone.
3. A team has its own: `AIRFLOW__TEAM___KUBERNETES_EXECUTOR__...`, section `team=kubernetes_executor`.

Which file goes with which environment is not known from manifests alone: a half of a pair is joined with every other half.

Source: apache-airflow-providers-cncf-kubernetes 10.25.0, kube_config.py and pod_generator.py; apache-airflow-core 3.3.2,
_shared/configuration/parser.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from builder.deploy.place import Found, Place, Unseen

SECTIONS: Final = ("kubernetes_executor", "kubernetes")
REPOSITORY: Final = "worker_container_repository"
TAG: Final = "worker_container_tag"
TEMPLATE: Final = "pod_template_file"
EXECUTOR: Final = "executor"
_VARIABLE: Final = re.compile(
    rf"AIRFLOW__(?:(?P<team>.+?)___)?(?P<section>KUBERNETES_EXECUTOR|KUBERNETES|CORE)__"
    rf"(?P<option>{REPOSITORY}|{TAG}|{TEMPLATE}|{EXECUTOR})\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An option of Airflow that says something about worker pods."""

    team: str
    """Lower case; empty for all."""
    section: str
    option: str
    value: str | None
    """None where it comes from somewhere else."""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one file or one environment sets."""

    settings: tuple[Setting, ...]


def setting_of_variable(name: str, value: str | None, place: Place) -> Setting | None:
    """Read an environment variable; None where it says nothing about worker pods."""
    found = _VARIABLE.match(name)
    if found is None or not name.startswith("AIRFLOW__"):
        return None
    return Setting(
        team=(found["team"] or "").lower(),
        section=found["section"].lower(),
        option=found["option"].lower(),
        value=value,
        place=place,
    )


def setting_of_option(section: str, option: str, value: str, place: Place) -> Setting | None:
    """Read an option of airflow.cfg; None where it says nothing about worker pods."""
    team, _, base = section.rpartition("=")
    about_pods = base in SECTIONS and option in {REPOSITORY, TAG, TEMPLATE}
    if not about_pods and (base, option) != ("core", EXECUTOR):
        return None
    return Setting(team=team.lower(), section=base, option=option, value=value, place=place)


def worker_images(scopes: Sequence[Scope]) -> Iterator[Found]:
    """List the images that replace the pod template's, by rules 1 to 3, each once for a place."""
    seen: set[tuple[str, str]] = set()
    for image, place in _iter_pairs(scopes):
        if (image, str(place)) not in seen:
            seen.add((image, str(place)))
            yield Found(image=image, place=place)


def unseen_settings(scopes: Sequence[Scope], files: frozenset[str]) -> Iterator[Unseen]:
    """List what decides the image of worker pods, and cannot be read.

    Args:
        scopes: all.
        files: names of files that ConfigMaps and Secrets hold, or that were given.
    """
    settings = [setting for scope in scopes for setting in scope.settings]
    for setting in settings:
        if setting.value is None and setting.section in SECTIONS:
            hint = "write it where it can be read, or leave it out"
            yield Unseen(what=f"{setting.option} comes from elsewhere", place=setting.place, hint=hint)
    if not any("kubernetes" in (one.value or "").lower() for one in settings if one.option == EXECUTOR):
        return
    told: set[str] = set()
    for setting in settings:
        path = setting.value or ""
        if setting.option == TEMPLATE and path and path.rpartition("/")[2] not in files and path not in told:
            told.add(path)
            hint = "give the file, or the ConfigMap that holds it, beside the rest"
            yield Unseen(what=f"the pod template {path[:200]} is nowhere here", place=setting.place, hint=hint)


def _iter_pairs(scopes: Sequence[Scope]) -> Iterator[tuple[str, Place]]:
    for scope in scopes:
        for team in dict.fromkeys(setting.team for setting in scope.settings):
            for sections in (SECTIONS, SECTIONS[1:]):
                repository, tag = (_read(scope, team, option, sections) for option in (REPOSITORY, TAG))
                if repository is not None and tag is not None:
                    yield from _join(repository, tag)
                    continue
                others = [other for other in scopes if other is not scope]
                if repository is not None:
                    for other in others:
                        yield from _join(repository, _read(other, team, TAG, sections))
                elif tag is not None:
                    for other in others:
                        yield from _join(_read(other, team, REPOSITORY, sections), tag)


def _join(repository: Setting | None, tag: Setting | None) -> Iterator[tuple[str, Place]]:
    if repository is not None and tag is not None and repository.value and tag.value:
        yield f"{repository.value}:{tag.value}", repository.place


def _read(scope: Scope, team: str, option: str, sections: Sequence[str]) -> Setting | None:
    """Find an option: the first section that has it counts, even where it is empty there."""
    for section in sections:
        for setting in scope.settings:
            if (setting.team, setting.section, setting.option) == (team, section, option):
                return setting
    return None
