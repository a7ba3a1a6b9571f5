"""Drift: read what runs, ask the ledger what should, say what differs, and record what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources

from builder.digest import Digest
from builder.drift.distributions import Difference, compare_listing
from builder.drift.judge import Case
from builder.drift.listing import Listing, parse_listing
from builder.drift.mend import make_anew
from builder.drift.model import Cluster, Expected, Finding, KnownImage, Report, Rules, Severity, Stay, Target
from builder.drift.pods import sort_objects
from builder.drift.record import is_same_sight, make_events
from builder.drift.survey import claim_pods, make_cases, survey, told_digests
from builder.drift.targets import namespaces_of
from builder.errors import ClusterError, InvalidInputError, LedgerError
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Promoted, Seen
from builder.ledger.model import Ledger, LedgerReader, NewEntry
from builder.ledger.queries import channel_state, channels_of, event_of, find_image, places_of
from builder.ledger.sightings import REPEAT_S, last_sight
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock

_MOST_PAST = 50
"""Earlier moves of a channel that are told apart from images it never stood for."""
NOT_SEEN_INSIDE = "not seen inside"

ReadTag = Callable[[str], frozenset[str] | str]
"""Asks a registry what an image of a spec means now: digests, or why it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftWish:
    """What is to be looked at."""

    targets: tuple[Target, ...]
    namespaces: tuple[str, ...] | None = None
    """Empty for all; None for those of the targets."""
    grace_s: int = 1800
    inside: bool = False
    """Look inside each running pod."""


def look_for_drift(
    cluster: Cluster, ledger: LedgerReader, wish: DriftWish, *, now: int, read_tag: ReadTag | None = None
) -> Report:
    """Hold what runs against what the ledger says.

    Args:
        cluster: tells what runs.
        ledger: says what should.
        wish: what to look at.
        now: seconds since the epoch.
        read_tag: asks registries; None to ask none.

    Raises:
        ClusterError: the cluster does not tell all its pods.
        InvalidInputError: no target is of this cluster.
        LedgerError: the ledger is damaged.
    """
    targets, namespaces = _scope(wish, cluster.name)
    objects = sort_objects(cluster.objects(namespaces))
    claims = claim_pods(objects.pods, targets, cluster.name)
    known = _find_known(ledger, told_digests(objects.pods))
    rules = Rules(now=now, grace_s=wish.grace_s, context=cluster.context, known=known)
    expected = {target: found for target in targets if (found := _expect(ledger, target)) is not None}
    cases = tuple(make_cases(claims, expected, objects))
    tags = {image: read_tag(image) for image in _unpinned(cases)} if read_tag else {}
    inside = _Inside(cluster, ledger, rules) if wish.inside else None
    extra = inside.look if inside else lambda _: ()
    looks = survey(claims, expected, objects, rules, namespaces=namespaces, tags=tags, extra=extra)
    return Report(
        cluster=cluster.name,
        namespaces=namespaces,
        looks=looks,
        passed_over=len(objects.pods) - sum(look.pods for look in looks),
        notes=cluster.notes(),
    )


def record_drift(ledger: Ledger, report: Report, actor: Actor, *, now: int) -> tuple[Entry, ...]:
    """Record what was seen, but for what was seen alike within the last day; returns the entries that were made.

    Raises:
        LedgerUnavailableError: nothing was recorded.
    """
    new = []
    for seen in make_events(report):
        last = last_sight(ledger, seen.cluster, seen.stack, seen.channel, since=now - REPEAT_S)
        if last is None or not is_same_sight(event_of(last, Seen), seen):
            new.append(NewEntry(event=seen))
    return ledger.append(new, actor) if new else ()


def compare_freeze(
    ledger: LedgerReader, data: bytes, digest: str, *, platform: str = "", context: str
) -> tuple[Listing, tuple[Difference, ...]]:
    """Hold a listing of what is installed in a container against the lock of its image.

    Args:
        ledger: has the lock.
        data: the listing, untrusted.
        digest: of the image that the container runs: of its index, a manifest or a config.
        platform: of the container; else what digest or listing say.
        context: where the listing is from, for errors.

    Raises:
        InvalidInputError: it is no listing.
        LedgerError: the ledger has no build of that image, or not its lock.
    """
    listing = parse_listing(data, context=context)
    known = _find_known(ledger, (digest,)).get(digest)
    if known is None:
        raise LedgerError("the ledger has no build of it", context=digest)
    lock = _lock_of(ledger, known)
    if lock is None:
        raise LedgerError("the ledger does not hold its lock", context=digest)
    return listing, compare_listing(listing, lock, platform=platform or known.platforms.get(digest, ""))


def channel_digest(ledger: LedgerReader, stack: str, channel: str) -> str:
    """Find the digest that a channel stands for; raises LedgerError where it stands for none."""
    state = channel_state(ledger, stack, channel)
    if state is None:
        hint = f"airflow-kubler promote {stack} --to {channel}"
        raise LedgerError("stands for nothing", context=f"{channel} of {stack}", hint=hint)
    return state.digest


def inside_script() -> str:
    """Read the script that lists what is installed; it runs in containers, by Python 3.9 or newer."""
    return resources.files("builder.cluster").joinpath("inside.py").read_text(encoding="utf-8")


def _look_command() -> tuple[str, ...]:
    return ("python", "-c", inside_script())


class _Inside:
    """Looks inside containers, each image's lock read once."""

    def __init__(self, cluster: Cluster, ledger: LedgerReader, rules: Rules) -> None:
        self._cluster, self._ledger, self._rules = cluster, ledger, rules
        self._locks: dict[str, StackLock | None] = {}
        self._done: set[tuple[str, str, str]] = set()

    def look(self, case: Case) -> Iterator[Finding]:
        """Find what was done inside a container; containers of one image in one pod may differ, so each is looked at."""
        known = case.known(self._rules)
        key = (case.pod.namespace, case.pod.name, case.container.name)
        if known is None or case.pod.is_finished or not case.container.is_running or key in self._done:
            return
        self._done.add(key)
        lock = self._lock(known)
        if lock is None:
            yield case.finding(NOT_SEEN_INSIDE, Severity.LOW, "the ledger does not hold the lock of its image")
            return
        try:
            told = self._cluster.run(case.pod.namespace, case.pod.name, case.container.name, _look_command())
            listing = parse_listing(told, context="its answer")
        except (ClusterError, InvalidInputError) as error:
            yield case.finding(NOT_SEEN_INSIDE, Severity.LOW, f"what is installed was not told: {error.message[:300]}")
            return
        mend = make_anew(case.workload, self._rules.context, case.pod.namespace, case.pod.name)
        for one in compare_listing(listing, lock, platform=known.platforms.get(case.digest, "")):
            yield case.finding(one.kind, one.severity, one.what, mend)

    def _lock(self, known: KnownImage) -> StackLock | None:
        if known.lock not in self._locks:
            self._locks[known.lock] = _lock_of(self._ledger, known)
        return self._locks[known.lock]


def _scope(wish: DriftWish, cluster: str) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Choose targets and namespaces of a cluster."""
    mine = tuple(target for target in wish.targets if target.cluster in {"", cluster})
    named = namespaces_of(mine, cluster)
    if named is None:
        raise InvalidInputError(
            f"no target is of the cluster {cluster!r}",
            context="stacks/deploy.toml",
            hint="name it by --cluster as [[targets]] does, or give --stack and --channel",
        )
    if wish.namespaces is None:
        return mine, named
    within = wish.namespaces
    asked = tuple(target for target in mine if not within or _overlaps(target, within))
    return asked, within


def _overlaps(target: Target, namespaces: Iterable[str]) -> bool:
    return not target.namespaces or any(
        fnmatchcase(name, pattern) for name in namespaces for pattern in target.namespaces
    )


def _unpinned(cases: Iterable[Case]) -> tuple[str, ...]:
    """List the images that specs name by tag alone, of pods that may start again."""
    return tuple(sorted({case.container.image for case in cases if not case.named.digest and not case.pod.is_finished}))


def _expect(ledger: LedgerReader, target: Target) -> Expected | None:
    """Find what a target should run; None where its channel stands for nothing."""
    state = channel_state(ledger, target.stack, target.channel)
    if state is None:
        return None
    places = places_of(ledger, state.digest)
    image = _find_known(ledger, (state.digest,)).get(state.digest)
    return Expected(
        target=target,
        digest=state.digest,
        since=state.entry.time,
        image=image,
        repository=places[0].repository if places else "",
        past=_past(ledger, target, state.digest),
    )


def _past(ledger: LedgerReader, target: Target, now: str) -> tuple[Stay, ...]:
    """List what a channel stood for before, the latest first, each once."""
    moves = ledger.find("channel", target.label, kinds=(Promoted.kind,), limit=_MOST_PAST)
    stays: dict[str, Stay] = {}
    for entry in moves:
        move = event_of(entry, Promoted)
        if move.before and move.before != now and move.before not in stays:
            known = _find_known(ledger, (move.before,)).get(move.before)
            names = known.names if known else frozenset((move.before,))
            stays[move.before] = Stay(names=names, until=entry.time, is_withdrawn=move.rollback)
    return tuple(stays.values())


def _find_known(ledger: LedgerReader, digests: Iterable[str]) -> Mapping[str, KnownImage]:
    """Find the builds of images, by any digest of them."""
    found: dict[str, KnownImage] = {}
    channels: dict[str, Sequence[tuple[str, str]]] = {}
    for digest in sorted(digests):
        recorded = find_image(ledger, digest)
        if recorded is None:
            continue
        built = recorded.built
        if built.stack not in channels:
            channels[built.stack] = [(one.channel, one.digest) for one in channels_of(ledger, built.stack)]
        platforms = {name: one.platform for one in built.platforms for name in (one.manifest, one.config)}
        found[digest] = KnownImage(
            stack=built.stack,
            digest=built.digest,
            lock=built.lock,
            built=recorded.entry.time,
            entry=recorded.entry.number,
            names=frozenset((built.digest, *platforms)),
            contents=frozenset(one.config for one in built.platforms),
            platforms=platforms,
            channels=tuple(channel for channel, stands_for in channels[built.stack] if stands_for == built.digest),
        )
    return found


def _lock_of(ledger: LedgerReader, known: KnownImage) -> StackLock | None:
    data = ledger.document(Digest.parse(known.lock))
    return None if data is None else parse_stack_lock(data, file=f"lock {known.lock}")
