"""stacks/nightly.toml is held against the project before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import StackError
from builder.nightly.settings import NightSettings
from builder.project import Project
from builder.usecase.night_settings import load_night_settings


def project(folder: Path, nightly: str) -> Project:
    (folder / "stacks").mkdir()
    (folder / "stacks/channels.toml").write_text('[[channels]]\nname = "prod"\n')
    if nightly:
        (folder / "stacks/nightly.toml").write_text(nightly)
    return Project(root=folder)


def test_without_a_file_all_is_preset(tmp_path: Path) -> None:
    assert load_night_settings(project(tmp_path, "")) == NightSettings()


def test_a_channel_that_is_there_is_taken(tmp_path: Path) -> None:
    assert load_night_settings(project(tmp_path, '[nightly]\nchannels = ["prod"]\n')).channels == ("prod",)


def test_a_channel_that_is_not_there_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nightly\.channels: no channel 'prdo'") as caught:
        load_night_settings(project(tmp_path, '[nightly]\nchannels = ["prdo"]\n'))
    assert "'prod'" in caught.value.hint
