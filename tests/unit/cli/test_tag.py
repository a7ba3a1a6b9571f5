from click.testing import CliRunner

from builder.cli.root import root
from builder.errors import InvalidInputError


def test_a_name_that_is_no_tag_is_told_before_anybody_is_asked() -> None:
    # Port 1 answers nobody: asking would be another error, and a late one.
    done = CliRunner().invoke(root, ["tag", "localhost:1/x:y", "../.."])
    assert done.exit_code == InvalidInputError.exit_code
    assert "not a tag: '../..'" in done.output
