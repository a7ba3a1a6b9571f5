"""Writes tests/golden/core.json: the digests that any machine must give for the committed lock of `core`.

Run by `make golden`, after the lock changed. The test beside the reproducibility tests compares.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("core.json")


def main() -> None:
    """Fetch, build and write."""
    command = [sys.executable, "-m", "builder", "--project", str(ROOT)]
    subprocess.run([*command, "fetch", "core"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        build = [*command, "build", "core", "--output", f"{folder}/core", "--json"]
        built = subprocess.run(build, check=True, stdout=subprocess.PIPE).stdout
    GOLDEN.write_bytes(dump_golden(json.loads(built)))


def dump_golden(summary: dict[str, object]) -> bytes:
    """Keep of a build's summary what identifies the image, and each layer, so that a difference shows where it is."""
    platforms = summary["platforms"]
    assert isinstance(platforms, dict)
    kept = {
        "index_digest": summary["index_digest"],
        "platforms": {
            name: {
                "config_digest": image["config_digest"],
                "manifest_digest": image["manifest_digest"],
                "layers": [layer["digest"] for layer in image["layers"]],
            }
            for name, image in platforms.items()
        },
    }
    return (json.dumps(kept, indent=2) + "\n").encode()


if __name__ == "__main__":
    main()
