"""Keys, notes and checkpoints of the auditor's program, against those of the ledger and of Go."""

from __future__ import annotations

import contextlib

import pytest

from builder.audit.verifier.notes import open_note, read_checkpoint, read_key
from builder.ledger.note import Checkpoint, SigningKey, sign, sign_text

KEY = SigningKey(name="example.org/airflow", seed=bytes(range(32)))
OTHER = SigningKey(name="witness.example.net", seed=b"w" * 32)
POINT = Checkpoint(origin="example.org/airflow", size=120, root=bytes(range(32)))
TRUSTED = read_key(str(KEY.verifying))
# From the documentation of Go's package golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_of_go_holds() -> None:
    text, signed = open_note(GO_NOTE.encode(), [read_key(GO_KEY + "\n")])
    assert signed
    assert text.endswith("what your problem is.\n")


def test_a_checkpoint_of_the_ledger_holds() -> None:
    text, signed = open_note(sign(POINT, KEY), [TRUSTED])
    assert signed
    assert read_checkpoint(text) == (POINT.origin, POINT.size, POINT.root)


def test_what_others_signed_is_not_signed() -> None:
    assert open_note(sign(POINT, OTHER), [TRUSTED]) == (POINT.text, False)
    assert open_note(POINT.text.encode(), [TRUSTED]) == (POINT.text, False)


def test_a_key_of_the_same_name_does_not_pass_for_another() -> None:
    forger = SigningKey(name=KEY.name, seed=b"f" * 32)
    assert open_note(sign(POINT, forger), [TRUSTED])[1] is False
    stolen = sign(POINT, KEY).replace(b"\n120\n", b"\n121\n")
    with pytest.raises(ValueError, match="does not hold"):
        open_note(stolen, [TRUSTED])


@pytest.mark.parametrize("place", range(0, len(sign(POINT, KEY)), 5))
def test_no_byte_of_a_note_can_be_another(place: int) -> None:
    data = bytearray(sign(POINT, KEY))
    data[place] ^= 1
    with contextlib.suppress(ValueError):
        assert open_note(bytes(data), [TRUSTED])[1] is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n01\n" + "A" * 43 + "=\n",
        "a\n1\nAAAA\n",
        "a\n1\n" + "A" * 43 + "=",
        "a\n1\n" + "A" * 42 + "B=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of whichever part it is that is none
        read_checkpoint(text)


@pytest.mark.parametrize(
    "key", ["", "a+b+c", str(KEY.verifying)[:-1], str(KEY.verifying).replace("example", "exemple")]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  as above
        read_key(key)


def test_the_text_of_an_export_is_no_checkpoint() -> None:
    note = sign_text("airflow-kubler audit export\n120\n2026-11-01 2026-12-01\nsha256:aa\n", KEY)
    text, _ = open_note(note, [TRUSTED])
    with pytest.raises(ValueError):  # noqa: PT011  as above
        read_checkpoint(text)
