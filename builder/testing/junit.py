"""JUnit's XML: pytest's read, ours written. Pure.

What is read comes out of an image: a document type, and with it entities, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from builder.errors import InvalidInputError
from builder.testing.model import MOST_LINES, Case, CheckReport, Status, five_lines

_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SAID: Final = re.compile(r"^(?:E  |>  )")
_PLACE: Final = re.compile(r"^\S+:\d+: ")


def parse_junit(text: str, *, name: str) -> tuple[Case, ...]:
    """Read what pytest found out about one file.

    Args:
        text: the document, untrusted.
        name: of the file; cases are named after it.

    Raises:
        InvalidInputError: it is none.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InvalidInputError("has a document type, which no JUnit file needs", context=name)
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a document type there are no entities to grow
        return tuple(_read_case(element, name) for element in root.iter("testcase"))
    except (ET.ParseError, ValueError) as error:
        raise InvalidInputError(f"is no JUnit file: {error}", context=name) from error


def _read_case(element: ET.Element, name: str) -> Case:
    status, reason = Status.PASSED, ""
    for kind, meant in (("skipped", Status.SKIPPED), ("failure", Status.FAILED), ("error", Status.FAILED)):
        found = element.find(kind)
        if found is not None:
            status = meant
            reason = found.get("message", "") if meant is Status.SKIPPED else _reason(found)
    group = element.get("classname", "").rpartition(".")[2]
    title = "::".join(filter(None, (name, group if group[:1].isupper() else "", element.get("name", ""))))
    return Case(name=title, status=status, seconds=float(element.get("time", "0")), reason=five_lines(reason))


def _reason(found: ET.Element) -> str:
    """Choose of a traceback what it is about: the line, what went wrong, where."""
    lines = (found.text or "").splitlines()
    said = [line for line in lines if _SAID.match(line)][: MOST_LINES - 1]
    place = [line for line in lines if _PLACE.match(line)][-1:]
    return "\n".join([*said, *place]) if said else found.text or found.get("message", "") or ""


def dump_junit(reports: Sequence[CheckReport]) -> bytes:
    """Write reports as JUnit's XML, as continuous integration reads it."""
    root = ET.Element("testsuites")
    for report in reports:
        for suite in report.suites:
            attributes = {
                "name": f"{report.stack} {suite.name}",
                "tests": str(len(suite.cases)),
                "failures": str(sum(case.bad for case in suite.cases)),
                "skipped": str(sum(case.status is Status.SKIPPED for case in suite.cases)),
                "errors": "0",
                "time": f"{suite.seconds:.3f}",
            }
            element = ET.SubElement(root, "testsuite", attributes)
            for case in suite.cases:
                _write_case(element, f"{report.stack}.{suite.name}", case)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _write_case(suite: ET.Element, group: str, case: Case) -> None:
    attributes = {"classname": group, "name": _NO_XML.sub("?", case.name), "time": f"{case.seconds:.3f}"}
    element = ET.SubElement(suite, "testcase", attributes)
    reason = _NO_XML.sub("?", case.reason)
    if case.bad:
        first = reason.partition("\n")[0]
        ET.SubElement(
            element, "failure", {"type": str(case.status), "message": first or str(case.status)}
        ).text = reason
    elif case.status is Status.SKIPPED:
        ET.SubElement(element, "skipped", {"message": reason})
    elif reason:
        ET.SubElement(element, "system-out").text = reason
