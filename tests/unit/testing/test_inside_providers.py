"""What providers say they have, and what they may do without."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from builder.testing import inside_providers
from builder.testing.inside_providers import is_optional, iter_names

INFO = {
    "package-name": "apache-airflow-providers-made-up",
    "description": "made.up text",
    "integrations": [{"integration-name": "X", "how-to-guide": ["/docs/made.up.rst"]}],
    "operators": [{"integration-name": "X", "python-modules": ["made.operators.up"]}],
    "transfers": [{"source-integration-name": "X", "python-module": "made.transfers.a_to_b"}],
    "connection-types": [
        {
            "hook-class-name": "made.hooks.up.UpHook",
            "connection-type": "up",
            "ui-field-behaviour": {"placeholders": {"host": "smtp.example.org"}},
        }
    ],
    "auth-managers": ["made.auth.Manager"],
    "executors": ["made.executors.Executor"],
    "config": {"up": {"options": {"logging": {"default": "made.default.value"}}}},
    "asset-uris": [{"schemes": ["up"], "handler": "made.assets.up.sanitize"}],
}
PROVIDERS = {
    "good": '{"executors": ["json.JSONDecoder"], "hooks": [{"python-modules": ["json.tool"]}]}',
    "bad": '{"executors": ["json.Nothing", "json.decoder"], "hooks": [{"python-modules": ["made.exits"]}]}',
    "crash": '{"hooks": [{"python-modules": ["made.crash"]}]}',
    "extra": '{"hooks": [{"python-modules": ["made.wants_extra"]}]}',
    "unsaid": '{"hooks": [{"python-modules": ["made.wants_extra"]}]}',
    "slow": '{"hooks": [{"python-modules": ["made.slow"]}]}',
}
MODULES = {
    "airflow": "",
    "made/__init__": "",
    "made/exits": "raise SystemExit(0)",
    "made/crash": "import os; os.abort()",
    "made/wants_extra": "import far_fetched.client",
    "made/slow": "import time; time.sleep(30)",
}


def test_modules_and_classes_are_found_and_texts_are_not() -> None:
    assert sorted(iter_names(INFO)) == [
        "made.assets.up.sanitize",
        "made.auth.Manager",
        "made.executors.Executor",
        "made.hooks.up.UpHook",
        "made.operators.up",
        "made.transfers.a_to_b",
    ]


def test_only_what_an_absent_extra_would_bring_is_optional() -> None:
    class AirflowOptionalProviderFeatureException(Exception):  # noqa: N818 - Airflow's name
        pass

    absent = frozenset({"azure-identity", "pandas", "apache-airflow-providers-amazon"})
    assert is_optional(AirflowOptionalProviderFeatureException(), absent)
    for missing in ("pandas.core", "azure.identity", "airflow.providers.amazon.aws", "bson"):
        assert is_optional(ModuleNotFoundError(name=missing), absent), missing
        assert not is_optional(ModuleNotFoundError(name=missing), frozenset()), missing
    # Of projects that are there, or of another provider than extras name.
    for missing in ("json.nothing", "packaging.x", "airflow.providers.google"):
        assert not is_optional(ModuleNotFoundError(name=missing), absent), missing
    retold = RuntimeError("install bson")
    retold.__context__ = ModuleNotFoundError(name="bson")
    assert is_optional(retold, absent)
    assert not is_optional(ImportError("cannot import name"), absent)


def test_each_provider_is_imported_apart(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    for name, info in PROVIDERS.items():
        (tmp_path / f"{name}_info.py").write_text(f"def get_provider_info(): return {info}")
        meta = tmp_path / f"apache_airflow_providers_{name}-1.dist-info"
        meta.mkdir()
        requires = 'Provides-Extra: x\nRequires-Dist: far-fetched>1; extra == "x"\n' if name == "extra" else ""
        (meta / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: apache-airflow-providers-{name}\nVersion: 1\n{requires}"
        )
        (meta / "entry_points.txt").write_text(
            f"[apache_airflow_provider]\nprovider_info={name}_info:get_provider_info\n"
        )
    result = tmp_path / "result.json"
    done = subprocess.run(
        # Without what is installed here, of which this program is a provider itself.
        [sys.executable, "-S", inside_providers.__file__, "2"],
        env={"PYTHONPATH": str(tmp_path), "CHECK_RESULT": str(result), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {one["provider"]: one for one in json.loads(result.read_text())}
    assert found.keys() == PROVIDERS.keys()
    assert (found["good"]["imported"], found["good"]["failed"], found["good"]["ended"]) == (2, [], "")
    assert found["bad"]["imported"] == 1
    assert [line.partition(":")[0] for line in found["bad"]["failed"]] == ["json.Nothing", "made.exits"]
    assert found["crash"]["ended"] == "died of signal 6"
    assert found["slow"]["ended"] == "timed out"
    assert (len(found["extra"]["optional"]), found["extra"]["failed"]) == (1, [])
    assert found["unsaid"]["failed"] == ["made.wants_extra: ModuleNotFoundError: No module named 'far_fetched'"]
