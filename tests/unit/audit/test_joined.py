"""The auditor's program is one file that needs nothing but an old Python."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from builder.audit.joined import join_verifier

TEXT = join_verifier().decode()


def test_it_is_of_python_3_9() -> None:
    ast.parse(TEXT, feature_version=(3, 9))
    checked = subprocess.run(
        [*(sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--target-version", "py39"), "-"],
        input=TEXT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_it_imports_the_standard_library_alone() -> None:
    imported = [node for node in ast.walk(ast.parse(TEXT)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {one.name for node in imported if isinstance(node, ast.Import) for one in node.names}
    names |= {node.module or "" for node in imported if isinstance(node, ast.ImportFrom)}
    assert names
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names) - {
        "socket",
        "urllib",
        "subprocess",
    }


def test_it_runs_bare(tmp_path: Path) -> None:
    program = tmp_path / "verify.py"
    program.write_text(TEXT)
    asked = subprocess.run([sys.executable, "-I", "-S", program, "--help"], capture_output=True, text=True, check=True)
    assert "--key" in asked.stdout
    nothing = subprocess.run([sys.executable, "-I", "-S", program], capture_output=True, text=True, check=False)
    assert nothing.returncode == 2
    assert "name the ledger's verifying key by --key" in nothing.stderr
    empty = subprocess.run(
        [sys.executable, "-I", "-S", program, "--unsigned", tmp_path], capture_output=True, text=True, check=False
    )
    assert empty.returncode == 1
    assert "FAILED: MANIFEST.sha256: cannot be checked" in empty.stdout
