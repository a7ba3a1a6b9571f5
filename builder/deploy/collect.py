"""Every name of an image in manifests, with its place.

1. Fields: `image` of containers of every kind wherever they stand, and any field or variable whose name ends with `image`; `repository`
   beside `tag` or `digest`, as charts and custom resources have it, joined; the same of the official chart's `defaultAirflow...`.
2. Texts: the data of ConfigMaps and Secrets, and whatever text looks like YAML, JSON or settings, is read as that and searched again.
3. Worker pods of the KubernetesExecutor: executor.py.
4. Words of all other texts: texts.py.

Left alone: what an object was (`status`, the annotation of `kubectl apply`), and resources that only say which tags to look for: what
these write is checked where it is rendered.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Iterator, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass, replace
from typing import Final

from builder.deploy.executor import (
    REPOSITORY,
    TAG,
    Scope,
    Setting,
    setting_of_option,
    setting_of_variable,
    unseen_settings,
    worker_images,
)
from builder.deploy.image_name import parse_image_name
from builder.deploy.manifest import Array, ManifestError, ManifestSyntaxError, Node, Object, Scalar, parse_manifest
from builder.deploy.place import Found, Place, Unseen
from builder.deploy.texts import iter_image_lines, iter_image_words, looks_structured, parse_settings

_CONTAINERS: Final = frozenset({"containers[]", "initContainers[]", "ephemeralContainers[]"})
_DATA: Final = frozenset({"data", "stringData", "binaryData"})
_CHOOSERS: Final = frozenset({"argocd-image-updater.argoproj.io", "image.toolkit.fluxcd.io"})
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_TEXTS: Final = 4
"""Texts within texts."""
_MOST_SCOPES: Final = 1000
# Halves of names, to be looked at together.
_HALVES: Final = frozenset({"repository", "registry", "tag", "digest"})
_DEFAULTS: Final = frozenset({"defaultAirflowRepository", "defaultAirflowTag", "defaultAirflowDigest"})
_WORKERS: Final = frozenset({REPOSITORY, TAG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """A file of manifests, read."""

    name: str
    documents: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What manifests say of images."""

    images: tuple[Found, ...]
    """In the order of files; a place may name several."""
    unseen: tuple[Unseen, ...]
    choosers: tuple[Place, ...]
    """Resources that only choose among tags."""
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """Where the search stands."""

    place: Place
    key: str = ""
    """That a value stands at; of a list's items the list's, with `[]`."""
    parent: str = ""
    texts: int = 0
    """Texts that this stands within."""
    first_line: int = 0
    """Line of the file at which the text within begins, less one; of no account where `has_lines` is false."""
    has_lines: bool = True

    def at(self, key: str, node: Node) -> _Where:
        """Go down to a key."""
        shown = key if key.replace("_", "").replace("-", "").isalnum() else f'["{key}"]'
        path = self.place.path
        glue = "" if not path or path.endswith(": ") or shown.startswith("[") else "."
        return self._down(key, f"{path}{glue}{shown}", node)

    def item(self, number: int, node: Node) -> _Where:
        """Go down to a list's item."""
        return self._down(f"{self.key}[]", f"{self.place.path}[{number}]", node)

    def inside(self, node: Scalar | None) -> _Where:
        """Go into a text."""
        literal = self.has_lines and node is not None and node.literal
        place = replace(self.place, path=f"{self.place.path}: ")
        return replace(self, place=place, texts=self.texts + 1, first_line=place.line, has_lines=literal)

    def _down(self, key: str, path: str, node: Node) -> _Where:
        line = self.first_line + node.line if self.has_lines and node.line else self.place.line
        return replace(self, place=replace(self.place, path=path, line=line), key=key, parent=self.key)


def collect_images(files: Sequence[Manifests], known: Collection[str] = ()) -> Collected:
    """Collect the images of all files together: settings of one may be halves of another's.

    Args:
        files: in the order to report them.
        known: repositories of the ledger, as `registry.example.org/team/airflow`.

    Raises:
        ManifestError: what stands within a text is not to be trusted with reading.
    """
    search = _Search(known)
    for file in files:
        for number, document in enumerate(file.documents, 1):
            place = Place(file=file.name, document=number, line=document.line)
            search.walk(document, _Where(place=place))
    names = frozenset({*search.files, *(file.name.rpartition("/")[2] for file in files)})
    return Collected(
        images=(*search.images, *worker_images(search.scopes)),
        unseen=tuple(unseen_settings(search.scopes, names)),
        choosers=tuple(search.choosers),
        objects=search.objects,
    )


class _Search:
    """One search; walks without recursion, however deep a tree is."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = frozenset(known)
        self.images: list[Found] = []
        self.scopes: list[Scope] = []
        self.choosers: list[Place] = []
        self.files: set[str] = set()
        self.objects = 0

    def walk(self, node: Node, where: _Where) -> None:
        """Search a tree."""
        todo = [(node, where)]
        while todo:
            node, where = todo.pop()
            match node:
                case Object():
                    todo.extend(reversed(tuple(self._object(node, where))))
                case Array():
                    self._environment(node, where)
                    todo.extend((item, where.item(n, item)) for n, item in reversed(tuple(enumerate(node.values))))
                case Scalar():
                    self._scalar(node, where)

    def _object(self, node: Object, where: _Where) -> Iterator[tuple[Node, _Where]]:
        """Look at an object as a whole; gives what is to be searched below it."""
        kind, group = node.text("kind"), node.text("apiVersion").rpartition("/")[0]
        is_resource = bool(kind and node.text("apiVersion")) and not where.texts
        if is_resource:
            self.objects += not kind.endswith("List")
            about = node.object("metadata")
            place = replace(
                where.place,
                kind=kind,
                name=about.text("name"),
                namespace=about.text("namespace"),
                path="",
                line=node.line,
            )
            where = replace(where, place=place)
            if group in _CHOOSERS:
                self.choosers.append(place)
                return
        joined = self._pairs(node, where)
        for key, value in node.values.items():
            below = where.at(key, value)
            if key == _APPLIED or (is_resource and key == "status"):
                continue
            if is_resource and kind in {"ConfigMap", "Secret"} and key in _DATA and isinstance(value, Object):
                self._data(value, below, encoded=key == "binaryData" or (kind, key) == ("Secret", "data"))
            elif key in joined and isinstance(value, Scalar):
                continue
            elif key == "value" and where.key == "env[]" and isinstance(value, Scalar):
                yield value, replace(below, key=node.text("name"))
            else:
                yield value, below

    def _pairs(self, node: Object, where: _Where) -> frozenset[str]:
        """Join the halves of names; gives the keys that were."""
        joined: frozenset[str] = frozenset()
        repository = "/".join(part for part in (node.text("registry"), node.text("repository")) if part)
        if repository and ("tag" in node.values or "digest" in node.values):
            self._joined(repository, node.text("tag"), node.text("digest"), where)
            joined |= _HALVES
        default = node.text("defaultAirflowRepository")
        if default:
            self._joined(default, node.text("defaultAirflowTag"), node.text("defaultAirflowDigest"), where)
            joined |= _DEFAULTS
        if node.text(REPOSITORY) and node.text(TAG):
            self._found(f"{node.text(REPOSITORY)}:{node.text(TAG)}", where)
            joined |= _WORKERS
        return joined

    def _joined(self, repository: str, tag: str, digest: str, where: _Where) -> None:
        image = f"{repository}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
        if parse_image_name(image) or parse_image_name(repository) or "@sha256" in repository:
            self._found(image, where)

    def _environment(self, node: Array, where: _Where) -> None:
        """Note what a container's environment sets for worker pods."""
        if where.key != "env":
            return
        found = []
        for number, item in enumerate(node.values):
            if isinstance(item, Object):
                value = item.values.get("value")
                text = value.text if isinstance(value, Scalar) else None if "valueFrom" in item.values else ""
                place = where.item(number, item).place
                found.append(setting_of_variable(item.text("name"), text, place))
        self._scope(found)

    def _data(self, node: Object, where: _Where, *, encoded: bool) -> None:
        """Search the data of a ConfigMap or Secret: files, and variables for `envFrom`."""
        found = []
        for key, value in node.values.items():
            self.files.add(key)
            if not isinstance(value, Scalar):
                continue
            text = _decode(value.text) if encoded else value.text
            if text is not None:
                below = where.at(key, value)
                found.append(setting_of_variable(key, text, below.place))
                self._scalar(value if not encoded else Scalar(text=text), below)
        self._scope(found)

    def _scope(self, settings: Iterable[Setting | None]) -> None:
        found = tuple(setting for setting in settings if setting is not None)
        if found:
            self.scopes.append(Scope(settings=found))
        if len(self.scopes) > _MOST_SCOPES:
            raise ManifestError(
                f"more than {_MOST_SCOPES} places set up the KubernetesExecutor",
                context=found[0].place.file,
                hint="give fewer files at a time",
            )

    def _scalar(self, node: Scalar, where: _Where) -> None:
        if node.is_null or not node.text or where.key.endswith(f"__{TAG}".upper()):
            return
        if self._field(node.text, where):
            return
        if where.texts < _MOST_TEXTS and self._structure(node, where):
            return
        for word in iter_image_words(node.text, self._known):
            self._found(word, where)

    def _field(self, text: str, where: _Where) -> bool:
        """Take a text for an image's name where its key says so."""
        key = where.key.lower()
        if key == "image" and where.parent in _CONTAINERS:
            self._found(text, where)
            return True
        exact = key == "image" or (key == "reference" and where.parent == "image")
        named = exact or key.endswith(("image", "image_name"))
        if not named or parse_image_name(text) is None or not (exact or any(mark in text for mark in "/:@")):
            return False
        self._found(text, where)
        return True

    def _structure(self, node: Scalar, where: _Where) -> bool:
        """Search a text by its structure; False where it has none."""
        inside = where.inside(node)
        unread = False
        if looks_structured(where.key, node.text):
            try:
                documents = parse_manifest(node.text, file=str(where.place))
            except ManifestSyntaxError:
                unread = True
            else:
                trees = [document for document in documents if not isinstance(document, Scalar)]
                for tree in trees:
                    self.walk(tree, replace(inside, key="", parent=""))
                return bool(trees)
        try:
            settings = parse_settings(node.text)
        except ConfigError as error:
            hint = "a section or an option of it stands twice, or a line is none"
            raise ManifestError("is no airflow.cfg", context=str(where.place), hint=hint) from error
        if settings is not None:
            self._settings(settings, replace(inside, has_lines=False))
            return True
        for image in iter_image_lines(node.text) if unread else ():
            self._found(image, where)
        return False

    def _settings(self, settings: ConfigParser, where: _Where) -> None:
        """Search a file of settings."""
        found = []
        for section in settings.sections():
            for option, value in settings.items(section):
                path = f"{where.place.path}[{section}] {option}"
                below = replace(where, place=replace(where.place, path=path), key=option, parent=section)
                found.append(setting_of_option(section, option, value, below.place))
                if option not in _WORKERS:
                    self._scalar(Scalar(text=value), below)
        self._scope(found)

    def _found(self, image: str, where: _Where) -> None:
        self.images.append(Found(image=image, place=where.place))


def _decode(text: str) -> str | None:
    """Read base64 that holds a text; None where it holds none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
