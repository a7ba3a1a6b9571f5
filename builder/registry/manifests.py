"""Manifests, tags and referrers of a registry.

Invariants: a manifest handed out hashes to the digest asked for, or else to the one that the registry states; documents are
at most 4 MiB; a fallback index keeps all entries that others wrote.

Source: opencontainers/distribution-spec 1.1, "Pulling manifests", "Pushing Manifests", "Listing Referrers".
"""

from __future__ import annotations

import json
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError, DigestMismatchError, IntegrityError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.oci.fields import MAX_DOCUMENT_BYTES, parse_object
from builder.registry.answers import RegistryTroubleError, TagTakenError, may_be_taken, says_immutable
from builder.registry.documents import ACCEPT, Links, media_type_of, parse_links, parse_referrers, referrer_entry
from builder.registry.model import ManifestBytes, Reference, Referrer, Repository, check_tag
from builder.registry.pages import read_pages
from builder.registry.session import DELETE, PULL, PUSH, Call, Session, Settled

_FALLBACK_TRIES: Final = 5


class RemoteManifests:
    """Manifests over a Session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def manifest(self, reference: Reference) -> ManifestBytes | None:
        """Read a manifest, by digest where the reference has one; None where there is none."""
        return self._get(reference, PULL)

    def _get(self, reference: Reference, actions: str) -> ManifestBytes | None:
        call = _call(reference, actions=actions, headers={"accept": ACCEPT})
        answer = self._session.settled(call, {200, 404})
        if answer.status == 404:
            return None
        digest = _verified(answer, reference, call)
        stated = answer.headers.get("content-type", "")
        return ManifestBytes(
            data=answer.body, media_type=media_type_of(answer.body, stated, context=call.context), digest=digest
        )

    def push_manifest(
        self, repository: Repository, data: bytes, media_type: str, tag: str | None = None, *, is_new: bool = False
    ) -> Descriptor:
        """Make a repository hold a manifest under its digest, and under a tag where one is given."""
        descriptor = describe(media_type, data)
        reference = repository.at(tag if tag is not None else descriptor.digest)
        links = parse_links(data, media_type, context=str(reference))
        if self._holds(reference, descriptor, PUSH) and not self._is_unlisted(repository, descriptor, links):
            return descriptor
        headers = {"content-type": media_type} | ({"if-none-match": "*"} if is_new else {})
        call = _call(reference, actions=PUSH, method="PUT", headers=headers, body=data)
        try:
            answer = self._session.settled(call, {200, 201, 202, 204})
        except RegistryTroubleError as error:
            if tag is None or not may_be_taken(error):
                raise
            self._check_taken(reference, descriptor, error)
            return descriptor
        stored = answer.headers.get("docker-content-digest", "")
        if stored.startswith("sha256:") and stored != str(descriptor.digest):
            raise DigestMismatchError(
                f"the registry says that it stored {stored}, not {descriptor.digest}", context=call.context
            )
        if links.subject is not None and "oci-subject" not in answer.headers:
            self._list_in_fallback(repository, links.subject, referrer_entry(descriptor, links))
        return descriptor

    def _check_taken(self, reference: Reference, descriptor: Descriptor, refusal: RegistryTroubleError) -> None:
        """Tell why a tag was refused; returns where it stands for what was to be written: an answer got lost on its way."""
        try:
            found = self._get(reference, PUSH)
            standing = found.digest if found is not None else None
            what = f"the tag is taken: it stands for {standing}"
        except IntegrityError as error:
            standing, what = None, f"the tag is taken: {error.message}"
        else:
            if standing == descriptor.digest:
                return
            if standing is None:
                if not says_immutable(refusal):
                    raise refusal
                what = "nothing stands for the tag, and yet it may not be written"
        raise TagTakenError(
            f"{what}; the registry refuses to change it: {refusal.message}",
            registry=refusal.registry,
            context=refusal.context,
            status=refusal.status,
            details=refusal.details,
            hint=f"take another tag, or have the rule of {refusal.registry} for immutable tags leave this one out",
        ) from refusal

    def _holds(self, reference: Reference, descriptor: Descriptor, actions: str) -> bool:
        """Tell whether a name stands for these bytes already."""
        call = _call(reference, actions=actions, method="HEAD", headers={"accept": ACCEPT})
        answer = self._session.settled(call, {200, 404, 405})
        stated = answer.headers.get("docker-content-digest", "")
        if answer.status == 404 or (answer.status == 200 and stated):
            return answer.status == 200 and stated == str(descriptor.digest)
        try:
            found = self._get(reference, actions)
        except IntegrityError:
            return False
        return found is not None and found.digest == descriptor.digest

    def _is_unlisted(self, repository: Repository, descriptor: Descriptor, links: Links) -> bool:
        """Tell whether a manifest that is there is missing among its subject's referrers: an earlier push was cut off."""
        if links.subject is None:
            return False
        return descriptor.digest not in {r.descriptor.digest for r in self.referrers(repository, links.subject)}

    def _list_in_fallback(self, repository: Repository, subject: Digest, entry: dict[str, Any]) -> None:
        """Add an entry to the fallback index, and look whether it stayed: others may write at the same time."""
        tag = fallback_tag(subject)
        reference = repository.at(tag)
        for _ in range(_FALLBACK_TRIES):
            present = self._get(reference, PUSH)
            value: dict[str, Any] = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": []}
            if present is not None:
                value = dict(parse_object(present.data, context=str(reference)))
            listed = value.get("manifests")
            entries = listed if isinstance(listed, list) else []
            if any(isinstance(e, dict) and e.get("digest") == entry["digest"] for e in entries):
                return
            data = dump_json({**value, "manifests": [*entries, entry]})
            if len(data) > MAX_DOCUMENT_BYTES:
                raise RegistryTroubleError(
                    f"the list of referrers would have {len(data)} bytes; the most are {MAX_DOCUMENT_BYTES}",
                    registry=repository.registry,
                    context=str(reference),
                    hint="delete the tag and the referrers that nobody needs, or take a registry with the referrers API",
                )
            headers = {"content-type": media.INDEX}
            self._session.settled(
                _call(reference, actions=PUSH, method="PUT", headers=headers, body=data), {200, 201, 202, 204}
            )
        present = self._get(reference, PUSH)
        if present is None or entry["digest"].encode() not in present.data:
            raise RegistryTroubleError(
                "others write the list of referrers all the time",
                registry=repository.registry,
                context=str(reference),
                hint="try again; registries with the referrers API have no such list",
            )

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """List tags, sorted; none where there is no such repository."""
        call = Call(repository=repository, what="tags", path="tags/list?n=1000")

        def parse(answer: Settled) -> dict[str, None] | None:
            return dict.fromkeys(_tags(answer.body, call)) if answer.status == 200 else None

        return tuple(sorted(read_pages(self._session, call, {200, 404}, parse) or ()))

    def referrers(
        self, repository: Repository, digest: Digest, artifact_type: str | None = None
    ) -> tuple[Referrer, ...]:
        """List what refers to a manifest, by API or fallback tag; by digest, of one type where that is given."""
        listed = self._by_api(repository, digest)
        if listed is None:
            index = self._get(repository.at(fallback_tag(digest)), PULL)
            listed = (
                () if index is None else parse_referrers(index.data, context=str(repository.at(fallback_tag(digest))))
            )
        # Filtered here: registries may leave the query out of account.
        wanted = [entry for entry in listed if artifact_type in {None, entry.artifact_type}]
        return tuple(sorted(wanted, key=lambda entry: entry.descriptor.digest))

    def _by_api(self, repository: Repository, digest: Digest) -> tuple[Referrer, ...] | None:
        """Ask the referrers API; None where there is none: registries say so with all kinds of answers."""
        call = Call(repository=repository, what=f"referrers of {digest}", path=f"referrers/{digest}")

        def parse(answer: Settled) -> dict[Digest, Referrer] | None:
            kind = answer.headers.get("content-type", "").partition(";")[0].strip()
            if answer.status != 200 or kind not in {media.INDEX, "application/json"}:
                return None
            try:
                page = parse_referrers(answer.body, context=call.context)
            except IntegrityError:
                return None
            return {entry.descriptor.digest: entry for entry in page}

        found = read_pages(self._session, call, {200, 400, 404, 405, 406, 501}, parse)
        return tuple(found.values()) if found is not None else None

    def delete(self, reference: Reference) -> bool:
        """Delete a manifest by its digest, or a tag; False where there was none."""
        call = _call(reference, actions=DELETE, method="DELETE", headers={})
        return self._session.settled(call, {200, 202, 204, 404}).status != 404


def fallback_tag(digest: Digest) -> str:
    """Name the tag that a manifest's referrers are listed under, where a registry has no API for them."""
    return check_tag(f"sha256-{digest.hex}")


def _call(
    reference: Reference, *, actions: str, headers: dict[str, str], method: str = "GET", body: bytes | None = None
) -> Call:
    return Call(
        repository=reference.repository,
        what=f"manifest {reference.point}",
        path=f"manifests/{reference.point}",
        method=method,
        headers=headers,
        body=body,
        actions=actions,
    )


def _verified(answer: Settled, reference: Reference, call: Call) -> Digest:
    """Give the digest of a manifest that came, after it is held against those that it must have."""
    digest = Digest.of(answer.body)
    stated = answer.headers.get("docker-content-digest", "")
    for expected, who in ((str(reference.digest or ""), "was asked for"), (stated, "the registry states")):
        if expected.startswith("sha256:") and expected != str(digest):
            raise DigestMismatchError(
                f"what came hashes to {digest}, {expected} {who}",
                context=call.context,
                hint=f"nothing of it was kept; ask whoever runs {reference.repository.registry}",
            )
    return digest


def _tags(body: bytes, call: Call) -> list[str]:
    try:
        listed = json.loads(body)["tags"] or []
        return [check_tag(tag) for tag in listed]
    except (ValueError, LookupError, TypeError, RecursionError, BuilderError) as error:
        raise RegistryTroubleError(
            "the answer is no list of tags",
            registry=call.repository.registry,
            context=call.context,
            hint=f"something else may answer in its place; ask whoever runs {call.repository.registry}",
        ) from error
