"""Each fault of a registry is recovered from within the deadline, or told with registry, object and way out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from builder.errors import BuilderError, DigestMismatchError, IntegrityError
from builder.oci import media
from builder.registry.answers import RegistryTroubleError
from builder.registry.client import PATIENCE
from builder.registry.model import Outcome, parse_repository
from builder.registry.settings import HostSettings, RegistrySettings
from tests.support.registries import Asked, Fault, SmallRegistry, always, once
from tests.support.registry_images import Memory, NoWait, client, close_clients, noise

BIG = noise(9 << 20)
SECRET = "hunter2-not-to-be-seen"  # noqa: S105  nobody's
RESET = Fault(reset_reading=3 << 20)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_clients()


def push(registry: SmallRegistry, data: bytes = BIG, waits: NoWait | None = None) -> int:
    memory = Memory()
    blob = memory.add(media.LAYER_TAR, data)
    done = client(patience=(waits or NoWait()).patience()).push_blob(
        parse_repository(f"{registry.host}/a"), blob, lambda offset: memory.open_at(blob, offset)
    )
    assert done.outcome is Outcome.SENT
    assert registry.state.blobs["a", str(blob.digest)] == data
    return done.sent_bytes


def pull(registry: SmallRegistry, data: bytes = BIG, waits: NoWait | None = None) -> bytes:
    blob = Memory().add(media.LAYER_TAR, data)
    registry.state.blobs["a", str(blob.digest)] = data
    reader = client(patience=(waits or NoWait()).patience())
    return b"".join(reader.read_blob(parse_repository(f"{registry.host}/a"), blob))


@pytest.mark.parametrize(
    "faults",
    [
        (Fault(status=429, headers={"Retry-After": "7"}),),
        (Fault(status=503),) * 2,
        (Fault(stop_after=1 << 20), Fault(stop_after=1 << 20)),
        (Fault(status=502), Fault(stop_after=0), Fault(stop_after=5 << 20)),
    ],
    ids=["429", "503", "truncated", "mixed"],
)
def test_download_recovers(faults: tuple[Fault, ...]) -> None:
    with SmallRegistry(fault=once(*faults, method="GET", part="/blobs/")) as registry:
        assert pull(registry) == BIG


def test_retry_after_is_waited_out_exactly() -> None:
    waits = NoWait()
    given = Fault(status=429, headers={"Retry-After": "42"})
    with SmallRegistry(fault=once(given, method="GET", part="/blobs/")) as registry:
        pull(registry, waits=waits)
    assert waits.pauses == [42.0]


def test_retry_after_beyond_the_deadline_is_told_at_once() -> None:
    waits = NoWait()
    given = Fault(status=503, headers={"Retry-After": "4000"}, body=b'{"errors":[{"code":"BUSY","message":"later"}]}')
    with SmallRegistry(fault=always(given, method="GET", part="/blobs/")) as registry:
        with pytest.raises(RegistryTroubleError) as caught:
            pull(registry, waits=waits)
        assert registry.count("GET", "/blobs/") == 1
    assert waits.pauses == []
    assert registry.host in str(caught.value)
    assert "blob sha256:" in str(caught.value)
    assert "BUSY: later" in str(caught.value)
    assert caught.value.hint


def test_busy_registry_is_waited_for_longer_than_one_that_is_not_there() -> None:
    begun = NoWait()
    with SmallRegistry(fault=always(Fault(status=503), method="GET", part="/manifests/")) as registry:
        reference = parse_repository(f"{registry.host}/a").at("t")
        with pytest.raises(RegistryTroubleError, match="after 8 tries"):
            client(patience=replace(begun.patience(deadline_s=900), tries=PATIENCE.tries)).manifest(reference)
    assert sum(begun.pauses) > 60
    gone = NoWait()
    with pytest.raises(RegistryTroubleError, match="after 5 tries"):
        client(patience=replace(gone.patience(deadline_s=900), tries=PATIENCE.tries)).manifest(reference)
    assert sum(gone.pauses) < 10


def test_download_is_continued_not_begun_anew() -> None:
    with SmallRegistry(fault=once(Fault(stop_after=1 << 20), method="GET", part="/blobs/")) as registry:
        pull(registry)
        asked = [ask.headers.get("range") for ask in registry.asked if ask.method == "GET"]
    assert asked == [None, f"bytes={1 << 20}-"]


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
def test_blob_of_which_a_part_is_here_is_continued_and_the_digest_decides(ranges: bool) -> None:  # noqa: FBT001
    blob = Memory().add(media.LAYER_TAR, BIG)
    ignoring = Fault(status=200, body=BIG) if not ranges else None
    with SmallRegistry(fault=lambda _: ignoring) as registry:
        repository = parse_repository(f"{registry.host}/a")
        registry.state.blobs["a", str(blob.digest)] = BIG
        size = 8 << 20
        assert b"".join(client().read_blob(repository, blob, iter([BIG[:5], BIG[5:size]]))) == BIG[size:]
        assert [asked.headers.get("range") for asked in registry.asked] == [f"bytes={size}-"]
        with pytest.raises(DigestMismatchError, match="what came hashes to"):
            list(client().read_blob(repository, blob, iter([b"?" * size])))


def test_flipped_byte_is_refused_and_its_end_withheld() -> None:
    got: list[bytes] = []
    with SmallRegistry(fault=always(Fault(flip=True), method="GET", part="/blobs/")) as registry:
        blob = Memory().add(media.LAYER_TAR, BIG)
        registry.state.blobs["a", str(blob.digest)] = BIG
        chunks = client().read_blob(parse_repository(f"{registry.host}/a"), blob)
        with pytest.raises(DigestMismatchError, match="blob sha256"):
            got.extend(chunks)
    assert sum(map(len, got)) < len(BIG)


@pytest.mark.parametrize("data", [BIG, noise(1000)], ids=["large", "small"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(status=429, headers={"Retry-After": "1"})], ids=["503", "429"]
)
def test_upload_recovers(data: bytes, method: str, fault: Fault) -> None:
    with SmallRegistry(fault=once(fault, fault, method=method, part="/uploads/")) as registry:
        push(registry, data)


def test_reset_upload_goes_on_where_the_registry_is() -> None:
    with SmallRegistry(fault=once(RESET, method="PUT", part="/uploads/")) as registry:
        push(registry)
        ranges = [ask.headers["content-range"] for ask in registry.asked if ask.method == "PATCH"]
    assert ranges == [f"{3 << 20}-{len(BIG) - 1}"]


def test_upload_that_is_reset_twice_goes_on_twice() -> None:
    def fault(asked: Asked) -> Fault | None:
        whole = asked.method == "PUT" and asked.headers["content-length"] == str(len(BIG))
        return RESET if whole or (asked.method == "PATCH" and registry.count("PATCH", "/uploads/") == 1) else None

    with SmallRegistry() as registry:
        registry.fault = fault
        push(registry)
        ranges = [ask.headers["content-range"] for ask in registry.asked if ask.method == "PATCH"]
    assert ranges == [f"{3 << 20}-{len(BIG) - 1}", f"{6 << 20}-{len(BIG) - 1}"]


def test_forgotten_upload_begins_anew() -> None:
    def fault(asked: Asked) -> Fault | None:
        if asked.method == "PUT" and registry.count("PUT", "/uploads/") == 1:
            return RESET
        return Fault(status=404) if asked.method == "GET" and "/uploads/" in asked.path else None

    with SmallRegistry() as registry:
        registry.fault = fault
        push(registry)
        assert registry.count("POST", "/uploads/") == 2


def test_damaged_source_is_never_finished() -> None:
    memory = Memory()
    for data in (BIG, noise(1000)):
        blob = memory.add(media.LAYER_TAR, data)
        memory.held[str(blob.digest)] = data[:-1] + b"?"
        with SmallRegistry() as registry:
            repository = parse_repository(f"{registry.host}/a")
            with pytest.raises(DigestMismatchError, match="to be sent"):
                client().push_blob(repository, blob, lambda offset, blob=blob: memory.open_at(blob, offset))  # type: ignore[misc]
            assert not registry.state.blobs


def put_manifest(registry: SmallRegistry) -> str:
    memory = Memory()
    image = memory.add_image(noise(10))
    registry.state.manifests["a", str(image.digest)] = (memory.held[str(image.digest)], media.MANIFEST)
    registry.state.tags["a", "t"] = str(image.digest)
    return str(image.digest)


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (Fault(flip=True), BuilderError, ""),
        (Fault(headers={"Docker-Content-Digest": "sha256:" + "0" * 64}), DigestMismatchError, "the registry states"),
        (Fault(status=200, body=b" " * (5 << 20)), RegistryTroubleError, "longer than"),
        (Fault(status=200, headers={"Content-Type": media.INDEX}, body=b"[]"), IntegrityError, "not a JSON object"),
        (Fault(status=403), RegistryTroubleError, "HTTP 403"),
        (Fault(status=500), RegistryTroubleError, "after 4 tries"),
        (Fault(status=302, headers={"Location": "file:///etc/passwd"}), RegistryTroubleError, "redirect"),
        (Fault(status=302, headers={"Location": "/v2/a/manifests/t"}), RegistryTroubleError, "redirects"),
    ],
    ids=["flipped", "wrong-digest", "oversized", "no-json", "403", "500", "redirect-to-file", "redirect-loop"],
)
def test_faulty_manifest_is_refused(fault: Fault, error: type[BuilderError], text: str) -> None:
    with SmallRegistry(fault=always(fault, method="GET", part="/manifests/")) as registry:
        put_manifest(registry)
        with pytest.raises(error) as caught:
            client().manifest(parse_repository(f"{registry.host}/a").at("t"))
    assert text in str(caught.value)
    assert f"{registry.host}/a: manifest t" in str(caught.value)


def test_slow_trickle_ends_with_the_deadline() -> None:
    waits = NoWait()

    def fault(_: Asked) -> Fault | None:
        waits.time += 1000
        return None

    with SmallRegistry(fault=fault) as registry:
        put_manifest(registry)
        with pytest.raises(RegistryTroubleError, match="too slow"):
            client(patience=waits.patience()).manifest(parse_repository(f"{registry.host}/a").at("t"))


def test_what_a_registry_repeats_of_a_password_is_not_shown() -> None:
    def fault(asked: Asked) -> Fault:
        if "authorization" not in asked.headers:
            return Fault(status=401, headers={"WWW-Authenticate": "Basic"})
        body = {"errors": [{"code": "DENIED", "message": f"{asked.headers['authorization']} is {SECRET}"}]}
        return Fault(status=403, body=json.dumps(body).encode())

    with (
        SmallRegistry(fault=fault) as registry,
        pytest.raises(RegistryTroubleError, match=r"HTTP 403 \(DENIED: Basic \*\*\* is \*\*\*\)"),
    ):
        client(secret=SECRET).manifest(parse_repository(f"{registry.host}/a").at("t"))


def test_silence_is_tried_again() -> None:
    with SmallRegistry(fault=once(Fault(pause_s=0.6), method="GET", part="/manifests/")) as registry:
        put_manifest(registry)
        assert client(timeout_s=0.3).manifest(parse_repository(f"{registry.host}/a").at("t"))


def test_credentials_do_not_follow_a_redirect() -> None:
    def asks(asked: Asked) -> Fault | None:
        if "authorization" not in asked.headers:
            return Fault(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Fault(status=307, headers={"Location": f"http://{other.host}{asked.path}"})

    with SmallRegistry() as other, SmallRegistry(fault=asks) as registry:
        put_manifest(other)
        assert client(secret=SECRET).manifest(parse_repository(f"{registry.host}/a").at("t"))
        assert other.asked
        assert all("authorization" not in asked.headers for asked in other.asked)


def test_credentials_do_not_follow_an_upload_to_another_host() -> None:
    def asks(asked: Asked) -> Fault | None:
        if "authorization" not in asked.headers:
            return Fault(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        if asked.method == "POST":
            return Fault(status=202, headers={"Location": f"http://{other.host}/v2/a/blobs/uploads/theirs?signed=x"})
        return None

    memory = Memory()
    with SmallRegistry() as other, SmallRegistry(fault=asks) as registry:
        for data, fault in ((noise(1000), None), (BIG, RESET)):
            blob = memory.add(media.LAYER_TAR, data)
            other.state.uploads["theirs"] = b""
            other.fault = once(fault, method="PUT", part="/uploads/") if fault else lambda _: None
            client(secret=SECRET).push_blob(
                parse_repository(f"{registry.host}/a"),
                blob,
                lambda offset, blob=blob: memory.open_at(blob, offset),  # type: ignore[misc]
            )
            assert other.state.blobs["a", str(blob.digest)] == data
        assert {asked.method for asked in other.asked} == {"PUT", "GET", "PATCH"}
        assert all("authorization" not in asked.headers for asked in other.asked)


def test_401_without_end_is_told() -> None:
    given = Fault(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    with SmallRegistry(fault=always(given, method="GET", part="/manifests/")) as registry:
        for secret, text in ((SECRET, "refuses the credentials"), ("", "asks to log in")):
            with pytest.raises(RegistryTroubleError, match=text) as caught:
                client(secret=secret).manifest(parse_repository(f"{registry.host}/a").at("t"))
            assert "docker login" in caught.value.hint
            assert SECRET not in str(caught.value)
        assert registry.count("GET", "/manifests/") == 3


def bearer(realm: Callable[[], str]) -> Callable[[Asked], Fault | None]:
    def fault(asked: Asked) -> Fault | None:
        if asked.path == "/token":
            return Fault(status=200, body=b'{"token":"t0ken","expires_in":300}')
        if asked.headers.get("authorization") == "Bearer t0ken":
            return None
        return Fault(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm()}",service="s"'})

    return fault


def test_token_is_got_once_for_a_scope() -> None:
    with SmallRegistry() as registry:
        registry.fault = bearer(lambda: f"http://{registry.host}/token")
        put_manifest(registry)
        reader = client(secret=SECRET)
        for _ in range(3):
            assert reader.manifest(parse_repository(f"{registry.host}/a").at("t"))
        asked = [ask for ask in registry.asked if ask.path == "/token"]
    assert len(asked) == 1
    assert asked[0].query == {"service": ["s"], "scope": ["repository:a:pull"]}


def test_password_goes_to_no_token_service_elsewhere_unless_it_is_listed() -> None:
    with SmallRegistry() as elsewhere, SmallRegistry() as registry:
        registry.fault = elsewhere.fault = bearer(lambda: f"http://{elsewhere.host}/token")
        put_manifest(registry)
        reference = parse_repository(f"{registry.host}/a").at("t")
        with pytest.raises(RegistryTroubleError, match="plain http") as caught:
            client(secret=SECRET).manifest(reference)
        assert f'token-hosts = ["{elsewhere.host}"]' in caught.value.hint
        assert not elsewhere.asked
        listed = RegistrySettings(hosts={registry.host: HostSettings(token_hosts=(elsewhere.host,))})
        assert client(secret=SECRET, settings=listed).manifest(reference)
        assert elsewhere.asked
