"""However deep a container stands in manifests, and in whatever text, its image is found."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.deploy.collect import Manifests, collect_images
from builder.deploy.manifest import parse_manifest

IMAGE = "evil.example.org/x:1"
CONTAINERS = st.sampled_from(["containers", "initContainers", "ephemeralContainers"])
KEYS = st.text("abcdefgh.-_/", min_size=1, max_size=8)


def within(key: str, noise: str) -> Callable[[Any], Any]:
    return lambda value: {noise + "0": noise, key: value, noise + "1": [noise, {}]}


def listed(noise: str) -> Callable[[Any], Any]:
    return lambda value: [noise, value, [noise]]


def config_map(key: str, dump: Callable[[Any], str]) -> Callable[[Any], Any]:
    return lambda value: {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {key: dump(value)},
    }


def secret(key: str, dump: Callable[[Any], str]) -> Callable[[Any], Any]:
    def wrap(value: Any) -> Any:
        data = {key: base64.b64encode(dump(value).encode()).decode()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}

    return wrap


def items(value: Any) -> Any:
    return {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Service"}, value]}


DUMPS = st.sampled_from([json.dumps, yaml.safe_dump, lambda value: yaml.safe_dump(value, default_flow_style=True)])
PLAIN = st.builds(within, KEYS, KEYS) | st.builds(listed, KEYS) | st.just(items)
# Three texts: one within another is looked into up to four deep.
TEXTS = st.lists(st.builds(config_map, KEYS, DUMPS) | st.builds(secret, KEYS, DUMPS), max_size=1)


@given(CONTAINERS, st.lists(PLAIN, max_size=4), TEXTS, st.lists(PLAIN, max_size=4), DUMPS)
@settings(max_examples=200)
def test_an_image_is_found_wherever_it_stands(
    field: str,
    inner: list[Callable[[Any], Any]],
    texts: list[Callable[[Any], Any]],
    outer: list[Callable[[Any], Any]],
    dump: Callable[[Any], str],
) -> None:
    value: Any = {"apiVersion": "v1", "kind": "Pod", "spec": {field: [{"name": "a", "image": IMAGE}]}}
    for wrap in (*inner, *texts, *outer):
        value = wrap(value)
    documents = parse_manifest(dump(value), file="f")
    found = collect_images([Manifests(name="f", documents=documents)])
    assert [one.image for one in found.images] == [IMAGE]
