"""Ways to mend what is weak in a Debian package: the versions that the suites of its base have now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from debian.debian_support import version_compare

from builder.debian.packages import Universe, index_packages
from builder.finding.model import Finding, Fix, FixState
from builder.lock.model import BaseLock
from builder.usecase.lock_base import DebianClient


class DebFinder:
    """Looks for versions in the suites of a base; they are fetched when the first is looked for.

    Args:
        base: as an image has it.
        client: asks mirrors.
    """

    def __init__(self, base: BaseLock, client: DebianClient) -> None:
        self._base = base
        self._client = client

    def __call__(self, finding: Finding) -> Fix:
        """Look for a version that mends a finding on all platforms that have it.

        Raises:
            MirrorError: a mirror answers wrongly or not at all.
        """
        if self._base.base.is_image:
            return Fix(how=f"the base {self._base.name} is an image: lock a newer one")
        found: list[str] = []
        for platform in self._base.base.platforms:
            if platform.name not in finding.platforms:
                continue
            candidate = self._universes[platform.architecture].candidate(finding.subject.name)
            if candidate is None or not _mends(candidate.source_version, finding.fixed_in):
                has = f"the mirror has {candidate.version}" if candidate else "the mirror does not have it"
                return Fix(state=FixState.UNREACHABLE, how=f"{has}, and {', '.join(finding.fixed_in)} mends it")
            found.append(candidate.version)
        return Fix(
            state=FixState.REACHABLE,
            version=max(found, default=""),
            how=f"airflow-kubler lock --base {self._base.name}, then: airflow-kubler rebase",
        )

    @cached_property
    def _universes(self) -> Mapping[str, Universe]:
        base = self._base.base
        architectures = [platform.architecture for platform in base.platforms]
        suites = [
            self._client.fetch_suite(name, components=base.components, architectures=architectures)
            for name in base.suites
        ]
        return {
            architecture: Universe(
                [
                    index_packages(data, suite=suite.record.suite)
                    for suite in suites
                    for data in suite.packages[architecture]
                ],
                architecture=architecture,
            )
            for architecture in architectures
        }


def _mends(source_version: str, fixed_in: Sequence[str]) -> bool:
    return any(version_compare(source_version, fixed) >= 0 for fixed in fixed_in)
