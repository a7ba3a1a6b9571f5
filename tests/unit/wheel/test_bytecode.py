from __future__ import annotations

import importlib.util
import marshal
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.entry import file_entry, symlink_entry
from builder.errors import BuildError, ToolError
from builder.wheel.bytecode import Source, WorkerPool, bytecode_entries
from builder.wheel.compile_worker import compile_source, renew

PYTHON = (sys.executable, "-s", "-S", "-B", "-P")
VERSION = sys.version.split()[0]
SHARED_SET = b"""\
def f(x):
    return x in {"alpha_%d", "beta_%d"}
def g(x):
    return x in {"alpha_%d", "beta_%d"}
"""


class FakeCompiler:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def compile(self, sources: Sequence[Source]) -> Sequence[bytes | None]:
        self.seen += [source.path for source in sources]
        return [None if b"{{" in source.data else b"pyc of " + source.data for source in sources]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(PYTHON, {}, 2, version=VERSION) as pool:
        yield pool


def test_only_what_python_imports_is_compiled() -> None:
    compiler = FakeCompiler()
    site = "home/airflow/.local/lib/python3.13/site-packages"
    entries = (
        file_entry(f"{site}/b/x.py", b"2"),
        file_entry(f"{site}/a.py", b"1"),
        file_entry(f"{site}/template.py", b"{{ name }}"),
        file_entry(f"{site}/data.txt", b""),
        file_entry("home/airflow/.local/bin/run.py", b""),
        symlink_entry(f"{site}/link.py", "a.py"),
        file_entry("usr/lib/python3.13/os.py", b"3"),
        file_entry("usr/lib/python3/dist-packages/d.py", b"4"),
    )

    made = bytecode_entries(entries, compiler, "3.13")

    assert [(entry.path, entry.data) for entry in made] == [
        (f"{site}/__pycache__/a.cpython-313.pyc", b"pyc of 1"),
        (f"{site}/b/__pycache__/x.cpython-313.pyc", b"pyc of 2"),
        ("usr/lib/python3.13/__pycache__/os.cpython-313.pyc", b"pyc of 3"),
        ("usr/lib/python3/dist-packages/__pycache__/d.cpython-313.pyc", b"pyc of 4"),
    ]
    assert f"/{site}/a.py" in compiler.seen


def test_bytecode_is_hash_based_unchecked_and_names_the_final_path(pool: WorkerPool) -> None:
    source = b"def f():\n    pass\n"
    (data,) = pool.compile([Source("/final/place.py", source)])

    assert data is not None
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert data[4:8] == (1).to_bytes(4, "little")
    assert data[8:16] == importlib.util.source_hash(source)
    assert marshal.loads(data[16:]).co_filename == "/final/place.py"  # noqa: S302


@pytest.mark.parametrize(
    "source",
    [
        b"print 'python 2'",
        b"{% template %}",
        b"a\x00b",
        b"\xff\xfe",
        b"# coding: no-such\n",
        b"(" * 500,
        b"x = " + b"-" * 100_000 + b"1",
    ],
    ids=["python 2", "template", "NUL", "bytes", "encoding", "parentheses", "depth"],
)
def test_source_that_does_not_compile_has_no_bytecode_and_harms_no_other(pool: WorkerPool, source: bytes) -> None:
    bad, good = pool.compile([Source("/bad.py", source), Source("/good.py", b"x = 1")])

    assert bad is None
    assert good is not None


def test_warnings_are_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with WorkerPool(PYTHON, {}, 1) as one:
        one.compile([Source("/w.py", b"x = '\\d'\nassert (1, 2)\nx is 1\n")])

    assert capfd.readouterr().err == ""


def test_declared_encoding_is_obeyed(pool: WorkerPool) -> None:
    (data,) = pool.compile([Source("/e.py", b"# coding: cp1252\nx = '\x80'\n")])

    assert data is not None
    assert "\u20ac" in marshal.loads(data[16:]).co_consts  # noqa: S302


def test_bytes_do_not_depend_on_order_workers_hash_seed_or_what_was_compiled_before() -> None:
    # The strings of one source's sets are interned by the names of another: that is what moved bytes (see `renew`).
    sets = [Source(f"/s{n}.py", SHARED_SET % (n, n, n, n)) for n in range(40)]
    names = [Source(f"/n{n}.py", b"alpha_%d = beta_%d = 1\n" % (n, n)) for n in range(40)]
    sources = sets + names
    expected: dict[str, bytes | None] = {}
    for seed, workers, order in (("0", 1, 0), ("1", 2, 1), ("random", 3, 2)):
        shuffled = random.Random(order).sample(sources, len(sources)) if order else sources  # noqa: S311
        with WorkerPool(PYTHON, {"PYTHONHASHSEED": seed}, workers) as pool:
            found = dict(zip((source.path for source in shuffled), pool.compile(shuffled), strict=True))
        expected = expected or found
        assert found == expected


def test_renewed_code_is_equal_code() -> None:
    source = SHARED_SET % (1, 1, 1, 1) + b"class C:\n    x = [i for i in (1, (2, 3)) if i in {4, 5}]\n"
    code = compile(source, "/x.py", "exec")

    assert renew(code) == code
    assert renew(code) is not code


def test_code_without_sets_is_left_alone() -> None:
    code = compile("def f(a=(1, 2)):\n    return a", "/x.py", "exec")

    assert renew(code) is code


def test_worker_and_this_process_agree(pool: WorkerPool) -> None:
    source = b"def f(x):\n    return x in {1, 2}\n"

    assert pool.compile([Source("/x.py", source)]) == [compile_source("/x.py", source)]


def test_many_threads_share_the_workers(pool: WorkerPool) -> None:
    jobs = [[Source(f"/t{n}/{m}.py", b"x = %d\n" % (n * 100 + m)) for m in range(n)] for n in range(30)]

    with ThreadPoolExecutor(8) as threads:
        for job, result in zip(jobs, threads.map(pool.compile, jobs), strict=True):
            assert list(result) == [compile_source(source.path, source.data) for source in job]


def test_large_job_is_shared_by_all_workers_and_none_outlives_the_pool() -> None:
    before = children()
    big = b"x = '" + b"a" * 400_000 + b"'\n"
    with WorkerPool(PYTHON, {}, 2) as pool:
        pool.compile([Source(f"/{n}.py", big) for n in range(6)])
        assert len(children() - before) == 2
    assert children() == before


def children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {child for task in tasks.iterdir() for child in (task / "children").read_text().split() if is_worker(child)}


def is_worker(process: str) -> bool:
    return b"compile_worker" in Path(f"/proc/{process}/cmdline").read_bytes()


def test_another_version_than_the_locks_is_refused() -> None:
    with WorkerPool(PYTHON, {}, 1, version="3.0.0") as pool, pytest.raises(ToolError, match=r"the lock says 3\.0\.0"):
        pool.compile([Source("/x.py", b"")])


def test_interpreter_that_does_not_start_is_named() -> None:
    with WorkerPool(("/no/such/python",), {}, 1) as pool, pytest.raises(ToolError, match="does not start") as failed:
        pool.compile([Source("/x.py", b"")])

    assert failed.value.argv[0] == "/no/such/python"


def test_what_a_dead_interpreter_said_is_in_the_error_and_the_pool_goes_on(tmp_path: Path) -> None:
    marker = tmp_path / "died"
    script = f'[ -e {marker} ] && exec {sys.executable} -S "$1"; touch {marker}; echo "out of luck" >&2; exit 3'
    with WorkerPool(("/bin/sh", "-c", script, "sh"), {}, 1) as pool:
        with pytest.raises(ToolError) as failed:
            pool.compile([Source("/x.py", b"")])
        assert (failed.value.exit_status, failed.value.stderr) == (3, "out of luck\n")
        assert pool.compile([Source("/x.py", b"")]) == [compile_source("/x.py", b"")]


def test_lack_of_memory_fails_the_build_instead_of_changing_the_image() -> None:
    limited = ("/bin/sh", "-c", 'ulimit -v 120000; exec "$@"', "sh", *PYTHON)
    source = b"x = (" + b"'a', b'b', 1.5, " * 1_000_000 + b")\n"
    with WorkerPool(limited, {}, 1) as pool:
        assert pool.compile([Source("/small.py", b"x = 1")]) == [compile_source("/small.py", b"x = 1")]
        with pytest.raises(ToolError) as failed:
            pool.compile([Source("/large.py", source)])

    assert "MemoryError" in failed.value.stderr
    assert "/large.py" in failed.value.hint


def test_closed_pool_refuses_work_and_gives_up_what_waits() -> None:
    pool = WorkerPool(("/bin/sh", "-c", "exec sleep 60"), {}, 1)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            pool.compile([Source("/x.py", b"1" * 400_000), Source("/y.py", b"2" * 400_000)])
        except (BuildError, ToolError) as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not children_of_shell():
        pass
    pool.close()
    asking.join(timeout=20)

    assert len(failures) == 1
    with pytest.raises(BuildError):
        pool.compile([Source("/x.py", b"")])


def children_of_shell() -> bool:
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True, check=False
    )
    return "sleep 60" in found.stdout


def test_no_sources_need_no_worker() -> None:
    with WorkerPool(("/no/such/python",), {}, 1) as pool:
        assert pool.compile([]) == []


def test_a_character_that_became_a_name_before_changes_no_byte() -> None:
    """Before Python 3.12 `from a import *` interns the star, and marshal would write it otherwise from then on."""
    program = (
        "import sys, hashlib; from builder.wheel.compile_worker import compile_source\n"
        "for text in sys.argv[1:]: last = compile_source('/x.py', text.encode())\n"
        "print(hashlib.sha256(last).hexdigest())\n"
    )
    argv = [sys.executable, "-P", "-c", program]
    first = subprocess.run([*argv, "x = '*'"], capture_output=True, text=True, check=True)
    again = subprocess.run([*argv, "from os import *", "x = '*'"], capture_output=True, text=True, check=True)
    assert first.stdout == again.stdout
