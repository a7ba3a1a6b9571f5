"""The shipped suite `smoke`: what must hold of every image. Pure.

- `start ...`: how long Airflow takes to start, the shortest of some times against a generous budget.
- `providers`: everything that providers say they have imports.
- `requirements`: what is installed wants nothing else than what is installed.
- `database`: `airflow db migrate` on a fresh SQLite.
- `modes`, which needs no container: modes.py.
"""

from __future__ import annotations

from typing import Final

from builder.testing.settings import Settings
from builder.testing.tasks import INSIDE, Kind, Task

DEFAULT_BUDGET_S: Final = 30
"""An order of magnitude above what an idle machine takes: a budget finds what has become slow, not a busy machine."""
DEFAULT_TRIES: Final = 3
_PROVIDER_S: Final = 300
_PROVIDERS_S: Final = 1800
_DAGS_PROGRAM: Final = '''
import os, pathlib
from airflow.configuration import conf
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
folder = pathlib.Path(os.environ["TMPDIR"])
(folder / "one.py").write_text("""
try:
    from airflow.sdk import dag
except ImportError:
    from airflow.decorators import dag

@dag(schedule=None)
def one(): ...

one()
""")
bag = DagBag(str(folder))
assert not bag.import_errors, bag.import_errors
assert set(bag.dags) == {"one"}, bag.dags
'''
_DATABASE_SCRIPT: Final = """
set -e
export AIRFLOW_HOME="$TMPDIR"
airflow db migrate
python - <<'END'
import os, sqlite3
rows = sqlite3.connect(os.environ["AIRFLOW_HOME"] + "/airflow.db").execute("SELECT version_num FROM alembic_version").fetchall()
assert len(rows) == 1, f"the database has {len(rows)} revisions"
END
"""


def smoke_tasks(settings: Settings) -> tuple[Task, ...]:
    """Make the tasks of the suite `smoke`."""
    tries = settings.tries or DEFAULT_TRIES
    return (
        _start_task("version", ("airflow", "version"), settings.version_budget_s, tries),
        _start_task("dags", ("python", "-c", _DAGS_PROGRAM), settings.dags_budget_s, tries),
        Task(
            name="providers",
            kind=Kind.PROVIDERS,
            argv=("python", f"{INSIDE}/inside_providers.py", str(_PROVIDER_S), *settings.optional_modules),
            timeout_s=_PROVIDERS_S,
        ),
        Task(name="database", kind=Kind.STATUS, argv=("bash", "-c", _DATABASE_SCRIPT), timeout_s=600),
        Task(
            name="requirements",
            kind=Kind.STATUS,
            argv=("python", f"{INSIDE}/inside_requirements.py"),
            timeout_s=120,
        ),
    )


def _start_task(name: str, argv: tuple[str, ...], budget_s: int | None, tries: int) -> Task:
    budget = budget_s or DEFAULT_BUDGET_S
    return Task(
        name=f"start {name}",
        kind=Kind.BUDGET,
        argv=argv,
        # What is far beyond its budget is not waited for.
        timeout_s=4 * budget,
        tries=tries,
        alone=True,
        budget_s=budget,
    )
