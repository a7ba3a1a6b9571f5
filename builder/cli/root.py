"""The command `airflow-kubler`: its verbs, imported when used, and the single error handler.

Exit status: 0 done; 1 a negative answer; 2 usage; 3 invalid input; 4 environment, network, tool, or a defect of ours;
130 interrupted; 141 the reader of our output went away. A verb returns None or its exit status.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder import __version__
from builder.errors import BuilderError, ToolError

if TYPE_CHECKING:
    from builder.project import Project
    from builder.service.address import LedgerPlace

PROGRAM = "airflow-kubler"
LEDGER_FILE = "ledger.db"
"""At the top of a project, unless the user names another."""
_INTERRUPTED = 130
_PIPE_CLOSED = 141


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb's command stands, and the line that `--help` shows for it without importing it."""

    target: str
    """As `module:attribute`."""
    summary: str


VERBS: dict[str, Verb] = {
    "init": Verb("builder.cli.init:command", "Start a folder of stacks."),
    "lock": Verb("builder.cli.lock:command", "Pin every file of a stack by hash, or check that it is fresh."),
    "preview": Verb("builder.cli.preview:command", "Show what a wish would bring, without writing anything."),
    "why": Verb("builder.cli.why:command", "Show why a project is in a stack, and what holds its version."),
    "diff": Verb("builder.cli.diff:command", "Show what differs between two locks, and the cost."),
    "outdated": Verb("builder.cli.outdated:command", "Show newer releases, and what keeps them away."),
    "distance": Verb("builder.cli.distance:command", "Show how far a stack is from Airflow's tested set."),
    "layers": Verb("builder.cli.layers:command", "Show why layers are as they are, and whether others would pay."),
    "snapshot": Verb("builder.cli.snapshot:command", "List, compare and pack states of the indexes."),
    "nightly": Verb("builder.cli.nightly:command", "Lock all again, rebuild what changed, prove the rest unchanged."),
    "fetch": Verb("builder.cli.fetch:command", "Fill the store and locks/files with the files that locks name."),
    "build": Verb("builder.cli.build:command", "Build a stack's image from its lock."),
    "inspect": Verb("builder.cli.inspect:command", "Show an image's layers, their sizes and what owns what."),
    "verify": Verb("builder.cli.verify:command", "Build again and compare; or check who has signed an image."),
    "rebase": Verb("builder.cli.rebase:command", "Put stacks on their base as it is locked now, keeping layers."),
    "push": Verb("builder.cli.push:command", "Push a stack's image under an immutable tag."),
    "pull": Verb("builder.cli.pull:command", "Pull an image or artifact as an OCI layout."),
    "tag": Verb("builder.cli.tag:command", "Move channels to an image that a registry holds."),
    "ls": Verb("builder.cli.ls:command", "List what stands in a repository."),
    "log": Verb("builder.cli.log:command", "Show what happened to a stack, the newest first."),
    "show": Verb("builder.cli.show:command", "Show all that is known of an image."),
    "explain": Verb("builder.cli.explain:command", "Show which input made an image another than the one before."),
    "compare": Verb("builder.cli.compare:command", "Show what two images have apart, and what a node would pull."),
    "scan": Verb("builder.cli.scan:command", "Find what is known to be weak in an image, and whose it is."),
    "waive": Verb("builder.cli.waive:command", "Write a waiver for a finding, as OpenVEX."),
    "waivers": Verb("builder.cli.waivers:command", "Show waivers, and write them as one document."),
    "archive": Verb("builder.cli.archive:command", "Keep an image's inputs beside it, to rebuild it from them alone."),
    "digest": Verb("builder.cli.digest:command", "Give the image of a channel, as a deploy tool reads it."),
    "deploy": Verb("builder.cli.deploy:command", "Check that manifests run what channels stand for, nothing else."),
    "export": Verb("builder.cli.export:command", "Show a lock as a Dockerfile, or write all that builds it."),
    "keygen": Verb("builder.cli.keygen:command", "Make a key that signs images."),
    "sign": Verb("builder.cli.sign:command", "Sign an image in a registry, by its digest."),
    "attest": Verb("builder.cli.attest:command", "Sign what is said of an image: provenance, SBOMs, rebuilds."),
    "signatures": Verb("builder.cli.signatures:command", "List what is signed of an image, by whom, and what holds."),
    "segments": Verb("builder.cli.segments:command", "Share finished segments by way of a registry."),
    "gc": Verb("builder.cli.gc:command", "Delete old images of a repository, keeping what is in use whole."),
    "sbom": Verb("builder.cli.sbom:command", "Write the bill of materials of an image, before it is built."),
    "licences": Verb("builder.cli.licences:command", "Hold the licences of all that is in an image against the rules."),
    "promote": Verb("builder.cli.promote:command", "Make a channel stand for an image, by its rules."),
    "approve": Verb("builder.cli.approve:command", "Agree that a channel moves to an image."),
    "channels": Verb("builder.cli.channels:command", "Show what channels stand for, and what waits for approval."),
    "rollback": Verb("builder.cli.rollback:command", "Show what a channel stood for before, and move it back."),
    "drift": Verb("builder.cli.drift:command", "Hold what runs against what the ledger says should."),
    "run": Verb("builder.cli.run:command", "Run a command in a stack's image."),
    "test": Verb("builder.cli.test:command", "Run the tests of images inside them, before they go anywhere."),
    "ledger": Verb("builder.cli.ledger:command", "Begin, check and export the record of what happened."),
    "audit": Verb("builder.cli.audit:command", "Write evidence of a period for auditors, who check it alone."),
    "serve": Verb("builder.cli.serve:command", "Answer over HTTP what channels stand for."),
    "record": Verb("builder.cli.record:command", "Record what other systems found out about an image."),
    "store": Verb("builder.cli.store:command", "Show, check and clean the store of files."),
    "graph": Verb("builder.cli.graph:command", "Show stacks, their bases and parents."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the root options said; commands get it by `@click.pass_obj`."""

    folder: Path | None = None
    """The folder given by --project, else None."""
    debug: bool = False
    ledger: LedgerPlace | None = None
    """What was given by --ledger or AIRFLOW_KUBLER_LEDGER, else None."""

    def project(self) -> Project:
        """Find the project: the folder given, else the current one or its nearest parent that holds stacks/."""
        from builder.project import find_project, open_project

        return find_project(Path.cwd()) if self.folder is None else open_project(self.folder)

    def ledger_place(self) -> LedgerPlace:
        """Name the ledger, there or not: what was given, else ledger.db of the project."""
        return self.ledger or self.project().root / LEDGER_FILE

    def ledger_file(self) -> Path:
        """Name the ledger where it has to be a file; raises InvalidInputError where it is a service."""
        place = self.ledger_place()
        if not isinstance(place, Path):
            from builder.errors import InvalidInputError

            raise InvalidInputError(
                "this needs the ledger's file", context=str(place), hint="run it where the service runs, on its file"
            )
        return place

    def stacks_folder(self) -> Path | None:
        """Name the project's folder stacks/; None where there is no project, and none was asked for."""
        project = self.project_or_none()
        return project.stacks_folder if project is not None else None

    def project_or_none(self) -> Project | None:
        """Find the project; None where there is none, and none was asked for."""
        from builder.errors import StackError

        try:
            return self.project()
        except StackError:
            if self.folder is not None:
                raise
            return None

    def locks_folder(self) -> Path | None:
        """Name the project's folder locks/; None where there is no project, and none was asked for."""
        stacks = self.stacks_folder()
        return stacks.parent / "locks" if stacks is not None else None

    def recording(self) -> LedgerPlace | None:
        """Name the ledger that what is done shall be recorded in.

        None where the project has none, or there is no project; one that was named must be there, which opening it
        will tell.
        """
        if self.ledger:
            return self.ledger
        # Not by way of the project: most of what pushes or tags has no other need of it.
        start = (self.folder or Path.cwd()).resolve()
        root = next((folder for folder in (start, *start.parents) if (folder / "stacks").is_dir()), start)
        path = root / LEDGER_FILE
        return path if path.exists() else None


class _LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is used, and turns errors into text and exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = verb.target.partition(":")
        if find_spec(module) is None:
            return None
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{verb.target} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List verbs from the table, so that `--help` imports none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a misspelt one is answered with the nearest known one."""
        if args[0].startswith("-") or self.get_command(ctx, args[0]) is not None:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = get_close_matches(args[0], VERBS, n=1)
        way_out = f" Did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"No such command {args[0]!r}.{way_out}", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; the single place where errors become text and exit status."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_PIPE_CLOSED)
        except KeyboardInterrupt:
            _say("interrupted", debug=False)
            ctx.exit(_INTERRUPTED)
        except Exception as error:  # noqa: BLE001  the one seam where everything ends
            ctx.exit(report_error(error, debug=bool(ctx.params.get("debug"))))
        if isinstance(status, int) and status:
            ctx.exit(status)
        return status


def report_error(error: Exception, *, debug: bool) -> int:
    """Write an error to standard error, and return the exit status it stands for."""
    if isinstance(error, BuilderError):
        _say(render_error(error), debug=debug)
        return error.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"error: {where}{error.strerror}", debug=debug)
        return BuilderError.exit_code
    _say(f"error: this is a defect of {PROGRAM} {__version__}, please report it", debug=True)
    return BuilderError.exit_code


def render_error(error: BuilderError) -> str:
    """Render an error as text: one `error:` line for each issue, hints and a tool's last words indented."""
    issues = getattr(error, "issues", None)
    if issues:
        text = "\n".join(f"error: {issue}" for issue in issues)
        return f"{text}\n  {error.hint}" if error.hint else text
    text = f"error: {error}"
    if isinstance(error, ToolError) and error.stderr and error.stderr not in error.message:
        text += "".join(f"\n  | {line}" for line in error.stderr.strip().splitlines())
    return text


def _say(text: str, *, debug: bool) -> None:
    from builder.cli.output import plain

    if debug:
        from traceback import format_exc

        click.echo(plain(format_exc()), err=True, nl=False)
    click.echo(plain(text), err=True)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--project",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder that holds stacks/ and locks/; else the current one or its nearest parent that does.",
)
@click.option(
    "--ledger",
    metavar="FILE|URL",
    envvar="AIRFLOW_KUBLER_LEDGER",
    help="Ledger to read and record in, a file or the address of its service; else ledger.db of the project.",
)
@click.option("--debug", is_flag=True, help="Show the trace of an error.")
@click.version_option(__version__, prog_name=PROGRAM)
@click.pass_context
def root(ctx: click.Context, folder: Path | None, ledger: str | None, *, debug: bool) -> None:
    """Lock Airflow and its plugins, and build reproducible images from the locks."""
    ctx.obj = Context(folder=folder, debug=debug, ledger=_place(ledger) if ledger else None)


def _place(text: str) -> LedgerPlace:
    if "://" not in text:
        return Path(text)
    # Late: a file is what it is nearly always.
    from builder.service.address import parse_place

    return parse_place(text)


def main() -> None:
    """Run the command line and leave the process with its exit status."""
    root.main(prog_name=PROGRAM)
