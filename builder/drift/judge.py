"""Is a container's image the one that its channel says? What nodes tell counts, never a tag.

An image is the right one where the digest told is that of the channel's index, of one of its manifests or of a config: which of
them a node tells depends on its runtime. Another build with the same config is the same file system, compressed otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from builder.drift.images import NamedImage, full_repository, parse_image, parse_image_id, short
from builder.drift.mend import make_anew, put_right_image
from builder.drift.model import Container, Expected, Finding, KnownImage, Owner, Place, Pod, Rules, Severity, Stay
from builder.drift.targets import is_allowed
from builder.drift.workload import ends_by_itself
from builder.ledger.entry import format_time

OTHER_DIGEST: Final = "other digest"
OLD_POD: Final = "pod older than the channel"
ROLLING_OUT: Final = "rolling out"
UNKNOWN: Final = "unknown image"
NOT_PINNED: Final = "not pinned"
LOCAL: Final = "local image"
NOT_PULLED: Final = "not pulled"
TAG_MOVED: Final = "tag moved"
TWO_IMAGES: Final = "one tag, several images"

_NOT_PULLED: Final = frozenset(("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A container in its pod, with what it should run."""

    pod: Pod
    workload: Owner
    container: Container
    expected: Expected

    @property
    def place(self) -> Place:
        """Say where it is."""
        return Place(
            namespace=self.pod.namespace,
            workload=f"{self.workload.kind}/{self.workload.name}",
            pod=self.pod.name,
            container=self.container.name,
        )

    @property
    def named(self) -> NamedImage:
        """Read what its spec names."""
        return parse_image(self.container.image)

    @property
    def digest(self) -> str:
        """Find what it runs, or is to run where the spec says so and the node does not yet; else empty."""
        running = parse_image_id(self.container.image_id)
        return running.digest if running else "" if self.container.image_id else self.named.digest

    def known(self, rules: Rules) -> KnownImage | None:
        """Find its image in the ledger; the channel's own, where it is that."""
        image = self.expected.image
        if image is not None and self.digest in image.names:
            return image
        return rules.known.get(self.digest)

    def is_right(self, rules: Rules) -> bool:
        """Tell whether it is what the channel stands for."""
        if self.digest in self.expected.names:
            return True
        found, wanted = rules.known.get(self.digest), self.expected.image
        content = _content(found, self.digest) if found else frozenset()
        return bool(content and wanted and content <= wanted.contents)

    def is_allowed(self) -> bool:
        """Tell whether its target lets it run, whatever the channel says."""
        return is_allowed(self.expected.target, self.named, self.digest)

    def right_image(self, rules: Rules) -> str:
        """Write how it comes to run the right image."""
        pod = self.pod
        return put_right_image(
            self.expected, self.workload, pod.labels, rules.context, pod.namespace, self.container.name
        )

    def finding(self, kind: str, severity: Severity, what: str, mend: str = "") -> Finding:
        """Make a finding of it; of a pod that has finished there is nothing to mend."""
        if self.pod.is_finished:
            return Finding(kind=kind, severity=Severity.INFO, place=self.place, what=f"{what}; it has finished")
        return Finding(kind=kind, severity=severity, place=self.place, what=what, mend=mend)


def judge_image(case: Case, rules: Rules) -> Iterator[Finding]:
    """Find what is wrong with a container's image."""
    container, digest = case.container, case.digest
    if container.waiting in _NOT_PULLED:
        what = f"{container.image[:200]} cannot be pulled: {container.waiting}"
        yield case.finding(NOT_PULLED, Severity.MEDIUM, what, case.right_image(rules))
    if not digest and not container.image_id:
        return
    allowed = case.is_allowed()
    if not allowed and not case.is_right(rules):
        yield _other(case, rules)
    if case.pod.is_finished:
        return
    if not case.named.digest:
        severity = Severity.LOW if allowed else Severity.MEDIUM
        what = (
            f"its spec names {container.image[:200] or 'nothing'} without a digest: the next pod may run another image"
        )
        yield case.finding(NOT_PINNED, severity, what, "" if allowed else case.right_image(rules))
    if container.pull_policy == "Never" and not allowed:
        severity = Severity.LOW if case.named.digest else Severity.MEDIUM
        what = "imagePullPolicy is Never: it runs what lies on the node under that name, and no registry is asked"
        yield case.finding(LOCAL, severity, what)


def _other(case: Case, rules: Rules) -> Finding:
    """Tell how an image that is not the channel's stands to it."""
    known, expected = case.known(rules), case.expected
    if known is None:
        return _unknown(case, rules)
    if known.stack != expected.target.stack:
        what = f"runs {known.stack}, {short(known.digest)}, not {expected.target.stack}"
        return case.finding(OTHER_DIGEST, Severity.HIGH, what, case.right_image(rules))
    what = f"runs {known.stack} {short(known.digest)}, built {format_time(known.built)} (entry {known.entry})"
    what += _behind(known, expected)
    if others := [name for name in known.channels if name != expected.target.channel]:
        what += f"; {', '.join(others)} stands for it"
    stay = next((stay for stay in expected.past if case.digest in stay.names), None)
    if stay is None:
        what += f"; {expected.target.channel} never stood for it"
        return case.finding(OTHER_DIGEST, Severity.HIGH, what, case.right_image(rules))
    word = "was rolled back from" if stay.is_withdrawn else "left"
    return _left_behind(case, stay, f"{what}; {expected.target.channel} {word} it {format_time(stay.until)}", rules)


def _unknown(case: Case, rules: Rules) -> Finding:
    expected = case.expected
    said = case.digest or case.container.image_id
    what = f"the ledger has no build of {short(said)} ({case.container.image[:200]})"
    same_place = full_repository(case.named.repository) == full_repository(expected.repository)
    if not expected.image and same_place:
        what += f"; nor has it one of {short(expected.digest)}, which the channel stands for: both may be one image"
    return case.finding(UNKNOWN, Severity.HIGH, what, case.right_image(rules))


def _left_behind(case: Case, stay: Stay, what: str, rules: Rules) -> Finding:
    """Tell how an image that the channel stood for before comes to run still."""
    since = case.expected.since
    if rules.now - since <= rules.grace_s:
        return case.finding(ROLLING_OUT, Severity.INFO, what)
    if case.pod.started >= since:
        what += ", and it was started after that"
        return case.finding(OTHER_DIGEST, Severity.HIGH, what, case.right_image(rules))
    if stay.is_withdrawn:
        return case.finding(OLD_POD, Severity.HIGH, what, case.right_image(rules))
    if ends_by_itself(case.workload):
        return case.finding(OLD_POD, Severity.LOW, f"{what}; it ends by itself")
    # What is pinned to the old digest would only start again with it.
    anew = make_anew(case.workload, rules.context, case.pod.namespace, case.pod.name)
    return case.finding(OLD_POD, Severity.MEDIUM, what, case.right_image(rules) if case.named.digest else anew)


def _behind(known: KnownImage, expected: Expected) -> str:
    """Say how an image's age stands to that of the channel's."""
    if expected.image is None:
        return ""
    seconds = expected.image.built - known.built
    if not seconds:
        return ""
    return f", {render_span(abs(seconds))} {'older' if seconds > 0 else 'newer'} than {expected.target.channel}'s"


def _content(image: KnownImage, digest: str) -> frozenset[str]:
    """List the configs that a digest of an image stands for: one for a platform's, all for the index."""
    platform = image.platforms.get(digest)
    if platform is None:
        return image.contents
    return frozenset(config for config in image.contents if image.platforms.get(config) == platform)


def judge_tags(cases: Iterable[Case], rules: Rules) -> Iterator[Finding]:
    """Find tags that stand for different images on different nodes; a rollout is none."""
    seen: dict[str, dict[str, Case]] = {}
    for case in cases:
        if case.named.digest or not case.digest or case.pod.is_finished:
            continue
        known = case.known(rules)
        seen.setdefault(case.container.image, {}).setdefault(known.digest if known else case.digest, case)
    for image, found in sorted(seen.items()):
        if len(found) > 1:
            digests = ", ".join(sorted(short(digest) for digest in found))
            what = f"{image[:200]} is {digests} in different pods"
            first = min(found.values(), key=lambda case: (case.pod.namespace, case.pod.name))
            yield first.finding(TWO_IMAGES, Severity.MEDIUM, what, first.right_image(rules))


def judge_moved_tag(case: Case, stands_for: frozenset[str], rules: Rules) -> Finding | None:
    """Find whether a tag means another image by now than the one that runs.

    Args:
        case: whose spec names a tag alone.
        stands_for: digests of the index, manifests and configs that the tag leads to in its registry.
        rules: how it is told.
    """
    known = case.known(rules)
    names = {case.digest} | (known.names if known else set())
    if not case.digest or not stands_for or not names.isdisjoint(stands_for):
        return None
    what = f"{case.container.image[:200]} has moved in its registry: the next pod runs another image"
    return case.finding(TAG_MOVED, Severity.MEDIUM, what, case.right_image(rules))


def render_span(seconds: int) -> str:
    """Write a time in its two largest units.

    >>> render_span(3 * 86400 + 4 * 3600 + 5), render_span(59)
    ('3 d 4 h', '59 s')
    """
    units: Mapping[str, int] = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    parts = []
    for unit, size in units.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"
