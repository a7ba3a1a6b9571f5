"""What a night does by stacks/nightly.toml, held against the rest of the project."""

from __future__ import annotations

from builder.errors import StackError
from builder.nightly.settings import FILE, NightSettings, parse_settings
from builder.project import Project
from builder.stack.names import nearest


def load_night_settings(project: Project) -> NightSettings:
    """Read stacks/nightly.toml; what is preset where it is not there.

    Raises:
        IssuesError: with everything that is wrong in it.
        StackError: it is not TOML at all, or names a channel that the project does not have.
    """
    path = project.nightly_path
    settings = parse_settings(path.read_bytes()) if path.is_file() else NightSettings()
    if settings.channels:
        from builder.usecase.channel_evidence import load_channels

        known = load_channels(project).names
        for name in settings.channels:
            if name not in known:
                where = f"{FILE}: nightly.channels"
                raise StackError(f"no channel {name[:80]!r}", context=where, hint=nearest(name, known, "channel"))
    return settings
