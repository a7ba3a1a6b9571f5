"""Checks that what is installed in an image wants nothing else than what is installed: what `pip check` does, without pip.

Runs inside images; needs `packaging`, which Airflow brings. Says each conflict in a line and ends with 1 if there is any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata


def main() -> int:
    """Print what is missing or of a wrong version."""
    problems = sorted(set(iter_problems()))
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


def iter_problems() -> Iterator[str]:
    """Iterate over conflicts. Extras count as far as another distribution asks for them."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found = {canonicalize_name(dist.name): dist for dist in metadata.distributions() if dist.name}
    waiting = [(name, "") for name in found]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        dist = found[name]
        for line in dist.requires or ():
            wanted = Requirement(line)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            project = canonicalize_name(wanted.name)
            have = found.get(project)
            if have is None:
                yield f"{name} {dist.version} requires {wanted.name}, which is not installed"
                continue
            if not wanted.specifier.contains(have.version, prereleases=True):
                yield f"{name} {dist.version} requires {wanted.name}{wanted.specifier}, installed is {have.version}"
            for asked in wanted.extras:
                one = (project, asked)
                if one not in seen:
                    seen.add(one)
                    waiting.append(one)


if __name__ == "__main__":
    sys.exit(main())
