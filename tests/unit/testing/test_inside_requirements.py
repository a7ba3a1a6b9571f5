"""Conflicts between what is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import packaging

from builder.testing import inside_requirements


def check(folder: Path, **requires: str) -> tuple[int, list[str]]:
    """Install made-up distributions beside `packaging` alone."""
    (folder / "packaging").symlink_to(Path(packaging.__file__).parent)
    for name, lines in requires.items():
        meta = folder / f"{name}-1.5.dist-info"
        meta.mkdir()
        wanted = "".join(f"Requires-Dist: {line}\n" for line in lines.splitlines())
        (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n{wanted}")
    program = (
        f"import sys, runpy; sys.path[:] = [{str(folder)!r}, *(p for p in sys.path if 'site-packages' not in p)]; "
    )
    program += f"runpy.run_path({inside_requirements.__file__!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


def test_what_fits_together_passes(tmp_path: Path) -> None:
    marked = 'b>=1\nc; python_version < "3"\nd; extra == "x"'
    assert check(tmp_path, a=marked, b="") == (0, [])


def test_what_is_missing_or_of_a_wrong_version_is_told_also_by_way_of_extras(tmp_path: Path) -> None:
    assert check(tmp_path, a="b[x]<1\nc", b='d; extra == "x"\ne; extra == "y"') == (
        1,
        [
            "a 1.5 requires b<1, installed is 1.5",
            "a 1.5 requires c, which is not installed",
            "b 1.5 requires d, which is not installed",
        ],
    )
