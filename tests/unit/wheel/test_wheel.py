from __future__ import annotations

import pytest

from builder.wheel.metadata import EntryPoint
from builder.wheel.refusal import Refusal, WheelRefusedError
from builder.wheel.wheel import read_wheel
from tests.support.wheels import WheelParts


def test_a_wheel_says_what_it_is() -> None:
    parts = WheelParts(
        name="Flask_Login",
        version="1.0.post1",
        tag="py2.py3-none-any",
        files={"flask_login.py": b"", "odd,name.txt": b"x", "late.pth": b"import evil"},
        entry_points=b"# comment\n[console_scripts]\nb = m:f\n a = m.n:c.g\n[gui_scripts]\nw=m:w\n",
    )
    wheel = read_wheel(parts.pack(), file_name=parts.file_name)

    assert (wheel.project, wheel.name, wheel.version) == ("flask-login", "Flask_Login", "1.0.post1")
    assert wheel.tags == ("py2-none-any", "py3-none-any")
    assert wheel.dist_info == "Flask_Login-1.0.post1.dist-info"
    assert wheel.data_dir == "Flask_Login-1.0.post1.data"
    assert wheel.purelib
    assert wheel.console_scripts == (
        EntryPoint(name="b", module="m", attribute="f"),
        EntryPoint(name="a", module="m.n", attribute="c.g"),
    )
    assert wheel.gui_scripts == (EntryPoint(name="w", module="m", attribute="w"),)
    assert wheel.pth_files == ("late.pth",)


def test_version_may_be_spelled_in_another_way() -> None:
    parts = WheelParts(version="1.0", metadata=b"Metadata-Version: 2.1\nName: DEMO\nVersion: 1.0.0\n")

    assert read_wheel(parts.pack(), file_name="demo-1.0-py3-none-any.whl").version == "1.0.0"


@pytest.mark.parametrize(
    ("named", "said", "accepted"),
    [
        ("cp313-cp313-manylinux2014_x86_64", "cp313-cp313-linux_x86_64", True),
        ("cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp313-cp313-linux_x86_64", False),
        ("cp313-cp313-manylinux2014_x86_64", "cp313-cp313-linux_aarch64", False),
        ("cp313-cp313-manylinux2014_x86_64", "cp312-cp312-linux_x86_64", False),
        ("cp313-cp313-manylinux2014_x86_64", "cp313-cp313-musllinux_1_2_x86_64", False),
        ("cp313-cp313-linux_x86_64", "cp313-cp313-manylinux2014_x86_64", False),
        ("py2.py3-none-manylinux1_x86_64", "py3-none-manylinux1_x86_64", True),
        ("py2.py3-none-any", "py2-none-any", False),
    ],
)
def test_only_plain_linux_and_a_forgotten_python_2_may_differ_from_the_file_name(
    *, named: str, said: str, accepted: bool
) -> None:
    wheel_file = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {said}\n".encode()
    parts = WheelParts(tag=named, wheel=wheel_file)
    if accepted:
        assert read_wheel(parts.pack(), file_name=parts.file_name).file_name == parts.file_name
    else:
        with pytest.raises(WheelRefusedError) as caught:
            read_wheel(parts.pack(), file_name=parts.file_name)
        assert caught.value.kind is Refusal.TAGS_LIE


def test_record_with_windows_line_ends_and_signatures_is_read() -> None:
    plain = WheelParts()
    record = plain.contents()["demo-1.0.dist-info/RECORD"].replace(b"\n", b"\r\n")
    parts = WheelParts(files={**plain.files, "demo-1.0.dist-info/RECORD.jws": b"{}"}, record=record)

    assert len(read_wheel(parts.pack(), file_name=parts.file_name).members) == 5


def test_stronger_hashes_are_checked() -> None:
    from tests.support.wheels import hash_of

    plain = WheelParts()
    data = plain.files["demo/__init__.py"]
    record = plain.contents()["demo-1.0.dist-info/RECORD"].replace(
        hash_of(data).encode(), hash_of(data, "sha512").encode()
    )

    assert read_wheel(WheelParts(record=record).pack(), file_name=plain.file_name).record[0].algorithm == "sha512"


def test_modules_named_as_startup_hooks_deeper_down_are_harmless() -> None:
    parts = WheelParts(files={"demo/auto/sitecustomize.py": b"", "sitecustomizer.py": b""})

    assert read_wheel(parts.pack(), file_name=parts.file_name).project == "demo"


def test_scripts_named_after_activation_are_not_the_environments() -> None:
    parts = WheelParts(files={"demo-1.0.data/scripts/activate-global-python-argcomplete": b"x"})

    assert read_wheel(parts.pack(), file_name=parts.file_name).project == "demo"
