"""The commands of docs/signatures.md and docs/provenance.md, run as they stand there, against a real registry, cosign's among them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Built, Kubler
from tests.support.cosign import Cosign
from tests.support.tools import ROOT, registry

EXAMPLE = "registry.example.org"
FILES = {"release", "release.key", "release.pub", "rebuild.json"}

pytestmark = [pytest.mark.tools, pytest.mark.network]


@dataclass
class Page:
    """Runs commands of pages, each section in its order."""

    kubler: Kubler
    cosign: Cosign
    host: str
    layout: Path

    def run(self, page: str, heading: str = "") -> dict[str, str]:
        """Run the commands below a heading; gives what each verb said last."""
        text = (ROOT / "docs" / page).read_text()
        section = text.split(f"\n## {heading}\n")[1] if heading else text
        said = {}
        for command in re.findall(r"^\$ (.*)$", section.partition("\n## ")[0], re.MULTILINE):
            program, *words = shlex.split(command.replace(EXAMPLE, self.host))
            words = [str(self.cosign.folder / word) if word in FILES else word for word in words]
            if program == "cosign":
                said[f"cosign {words[0]}"] = self.cosign.must(
                    *words, "--trusted-root", "root.json", "--allow-http-registry"
                )
                continue
            if words[0] == "push":
                words += ["--layout", str(self.layout)]
            said[words[0]] = self.kubler(*words).stdout
        return said


@pytest.mark.slow
def test_the_commands_of_signatures_and_provenance_work_in_their_order(
    kubler: Kubler, core: Built, tmp_path: Path
) -> None:
    with registry(tmp_path) as served:
        page = Page(kubler, Cosign(tmp_path / "cosign"), served.host, core.folder)
        said = page.run("signatures.md")
        assert sorted(said) == ["attest", "keygen", "push", "sign", "signatures", "verify"]
        assert said["signatures"].count(" holds ") == 4
        assert "slsa_build_level: 1\n" in said["verify"]
        assert "sbom-cyclonedx: holds" in said["verify"]
        assert sorted(page.run("signatures.md", "With cosign")) == ["cosign verify", "cosign verify-attestation"]
        statement = json.loads(page.run("provenance.md")["attest"])
        assert statement["subject"][0]["digest"]["sha256"] == core.summary["index_digest"].removeprefix("sha256:")
        roles = {
            one["annotations"]["role"] for one in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        }
        assert {"lock", "base lock", "release", "wheel", "deb"} <= roles
        said = page.run("signatures.md", "Rebuilds that are signed")
        assert "rebuild: holds" in said["verify"]
        assert "the same digest" in said["verify"]
