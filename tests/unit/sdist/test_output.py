from __future__ import annotations

import time

from builder.sdist.build import _needs_compiler


def test_a_missing_compiler_is_seen_in_what_a_build_says() -> None:
    assert _needs_compiler(
        "running build_ext\nerror: command 'x86_64-linux-gnu-gcc' failed: No such file or directory\n"
    )
    assert not _needs_compiler("error: something else\n")


def test_output_that_makes_patterns_backtrack_costs_no_time() -> None:
    begin = time.process_time()
    assert not _needs_compiler("command '" + "gcc" * 21_000)
    assert not _needs_compiler("unable to find " * 4_300)
    assert time.process_time() - begin < 1
