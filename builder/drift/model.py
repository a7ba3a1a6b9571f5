"""What drift speaks of: pods and their containers, targets, what the ledger knows, findings; and the Protocol of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase
from typing import Protocol


class Severity(IntEnum):
    """How much a finding matters."""

    INFO = 0
    """Told, and nothing to be done: a rollout under way, what has finished."""
    LOW = 1
    """Right now, but nothing keeps it so."""
    MEDIUM = 2
    """Not what the channel says, by neglect."""
    HIGH = 3
    """Not what anybody recorded, or code that the lock does not know."""

    @property
    def word(self) -> str:
        """Write it as people do."""
        return self.name.lower()


class Role(StrEnum):
    """What a container is in its pod."""

    MAIN = "container"
    INIT = "init container"
    EPHEMERAL = "ephemeral container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What made an object, by kind and name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a pod, as its spec and its status have it."""

    name: str
    role: Role
    image: str
    """Of the spec."""
    image_id: str
    """Of the status; empty before it was pulled."""
    pull_policy: str = ""
    command: tuple[str, ...] = ()
    """Command and arguments."""
    hooks: tuple[tuple[str, ...], ...] = ()
    """Commands that run in it besides, as after its start."""
    env: tuple[tuple[str, str], ...] = ()
    """Variables that are set, by name in the order of the spec."""
    mounts: tuple[str, ...] = ()
    """Paths that something is mounted at."""
    waiting: str = ""
    """Why it does not run yet, as `ImagePullBackOff`."""
    is_running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    owner: Owner | None
    phase: str
    started: int
    """Seconds since the epoch; 0 where it is not known."""
    containers: tuple[Container, ...]

    @property
    def is_finished(self) -> bool:
        """Tell whether it will never run again."""
        return self.phase in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An airflow.cfg that a ConfigMap holds."""

    namespace: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Pods that should run what a channel stands for."""

    stack: str
    channel: str
    cluster: str = ""
    """Empty for any."""
    namespaces: tuple[str, ...] = ()
    """Empty for all."""
    selector: tuple[tuple[str, str], ...] = ()
    """Labels that a pod must have, by name."""
    allowed: tuple[str, ...] = ()
    """Other images that may run: `repository`, or `repository@sha256:...` for that one alone."""
    containers: tuple[str, ...] = ()
    """Names that containers may have, beside those of Airflow's chart; `*` stands for anything."""

    @property
    def label(self) -> str:
        """Name it, as `core prod`."""
        return f"{self.stack} {self.channel}"

    def claims(self, pod: Pod, cluster: str) -> bool:
        """Tell whether a pod of a cluster should run what the channel says."""
        return (
            self.cluster in {"", cluster}
            and (not self.namespaces or any(fnmatchcase(pod.namespace, pattern) for pattern in self.namespaces))
            and all(pod.labels.get(name) == value for name, value in self.selector)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """An image that the ledger knows from its build."""

    stack: str
    digest: str
    """Of its index."""
    lock: str
    """Digest of the lock that it was made from."""
    built: int
    """Seconds since the epoch."""
    entry: int
    names: frozenset[str]
    """Digests of its index, manifests and configs: a node may tell any of them."""
    contents: frozenset[str]
    """Digests of its configs: equal ones stand for equal file systems, however they are compressed."""
    platforms: Mapping[str, str]
    """Platform, by digest of manifest and of config."""
    channels: tuple[str, ...] = ()
    """Channels of its stack that stand for it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A time that a channel stood for an image."""

    names: frozenset[str]
    """Digests of its index and, as far as the ledger knows, its manifests and configs."""
    until: int
    """Seconds since the epoch."""
    is_withdrawn: bool = False
    """It was rolled back from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the pods of a target should run."""

    target: Target
    digest: str
    since: int
    """When the channel moved there, seconds since the epoch."""
    image: KnownImage | None
    """None where the ledger has no build of it."""
    repository: str = ""
    """Where it was pushed; empty where the ledger does not say."""
    past: tuple[Stay, ...] = ()
    """What the channel stood for before, the latest first."""

    @property
    def names(self) -> frozenset[str]:
        """Digests that all mean it."""
        return self.image.names if self.image else frozenset((self.digest,))

    @property
    def reference(self) -> str:
        """Write it as pods should have it; without repository where that is not known."""
        return f"{self.repository}@{self.digest}" if self.repository else self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something was found."""

    namespace: str
    workload: str
    """As `deployment/scheduler`."""
    pod: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as the ledger says, or that nobody can answer for."""

    kind: str
    severity: Severity
    place: Place
    what: str
    """The same for all pods that it holds for."""
    mend: str = ""
    """A command line; empty where there is none to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedFinding:
    """A finding with all the pods that it holds for."""

    finding: Finding
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An image that runs, or ran and finished, in pods of a target."""

    digest: str
    """Of its index where the ledger knows it, else as the node told it."""
    pods: int
    finished: int
    workloads: tuple[str, ...]
    """As `airflow/deployment/scheduler`, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of the pods that one channel is for, or of pods of no target that run images of one stack."""

    stack: str
    channel: str
    """Empty for pods of no target."""
    namespaces: tuple[str, ...]
    """That were looked at; empty for all."""
    selector: str
    """Labels of the pods that were looked at, as `tier=airflow`; empty for all."""
    expected: Expected | None
    """None where the channel stands for nothing."""
    pods: int
    sightings: tuple[Sighting, ...]
    findings: tuple[GroupedFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was seen of a cluster."""

    cluster: str
    namespaces: tuple[str, ...]
    """That were looked at; empty for all."""
    looks: tuple[Look, ...]
    passed_over: int
    """Pods of no target that run nothing of ours."""
    notes: tuple[str, ...] = ()
    """What could not be seen, and what that leaves open."""

    def worst(self) -> Severity | None:
        """Find the highest severity; None where nothing was found."""
        return max((group.finding.severity for look in self.looks for group in look.findings), default=None)


class Cluster(Protocol):
    """What tells what runs."""

    @property
    def name(self) -> str:
        """Name it, as its people do."""

    @property
    def context(self) -> str:
        """Name it as kubectl does; empty where that is not known."""

    def objects(self, namespaces: Sequence[str]) -> Iterator[object]:
        """Iterate over pods, jobs and ConfigMaps as JSON values, nothing of which is to be believed.

        Args:
            namespaces: to look at; all where empty.

        Raises:
            ClusterError: not all pods can be had: then nothing can be said of what runs.
        """

    def notes(self) -> tuple[str, ...]:
        """List what could not be had beside pods."""

    def run(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> bytes:
        """Run a command in a container, and give what it says on standard output; raises ClusterError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How drift is told."""

    now: int
    """Seconds since the epoch."""
    grace_s: int = 1800
    """As long as a rollout may take."""
    context: str = ""
    """What kubectl calls the cluster."""
    known: Mapping[str, KnownImage] = field(default_factory=dict)
    """By each digest that a node told and the ledger knows."""
