"""What `show --json` prints of an image."""

from __future__ import annotations

from typing import Any

from builder.cli.explain_view import explanation_to_dict
from builder.cli.log_view import entry_to_dict
from builder.history.contents import Row, debs_of, distributions_of
from builder.history.image import ImageRecord
from builder.image.view import PlatformView
from builder.usecase.show import Deployed, Shown


def shown_to_dict(shown: Shown) -> dict[str, Any]:
    """Make the JSON form: all there is, whatever `--all` says."""
    record = shown.record
    return {
        "digest": shown.digest,
        "stack": record.stack if record else None,
        "build": _build_to_dict(shown, record) if record else None,
        "lock": _lock_to_dict(shown, record) if record else None,
        "channels": [
            {"channel": state.channel, "since": state.entry.moment, "entry": state.entry.number}
            for state in shown.channels
        ],
        "places": [{"repository": place.repository, "tag": place.tag or None} for place in shown.places],
        "deployed": [_deployed_to_dict(one) for one in shown.deployed],
        "findings": [entry_to_dict(entry) for entry in shown.findings],
        "since_before": explanation_to_dict(shown.explanation) if shown.explanation else None,
        "platforms": {view.platform.name: _view_to_dict(view) for view in record.views()} if record else {},
        "distributions": [_row_to_dict(row) for row in distributions_of(record)] if record else [],
        "debs": [_row_to_dict(row) for row in debs_of(record)] if record else [],
        "missing": list(record.missing) if record else [],
    }


def _build_to_dict(shown: Shown, record: ImageRecord) -> dict[str, Any] | None:
    if record.entry is None or record.built is None:
        return None
    return {
        "entry": record.entry.number,
        "time": record.entry.moment,
        "by": record.entry.actor.name,
        "host": record.entry.actor.host or None,
        "run": record.entry.actor.run or None,
        "program": record.entry.actor.program or None,
        "seconds": record.built.seconds,
        "engine": record.built.engine,
        "formats": list(record.built.formats),
        "times": shown.times_built,
    }


def _lock_to_dict(shown: Shown, record: ImageRecord) -> dict[str, Any]:
    lock = record.lock
    return {
        "digest": record.lock_digest,
        "entry": shown.locked.number if shown.locked else None,
        "time": shown.locked.moment if shown.locked else None,
        "by": shown.locked.actor.name if shown.locked else None,
        "airflow": lock.airflow_version if lock else None,
        "python": lock.python_version if lock else None,
        "base": lock.base if lock else None,
        "base_lock": str(lock.base_lock) if lock else None,
        "parents": list(lock.parents) if lock else [],
        "resolver": lock.resolver if lock else None,
    }


def _deployed_to_dict(one: Deployed) -> dict[str, Any]:
    return {
        "cluster": one.cluster,
        "namespaces": list(one.namespaces),
        "runs": one.runs,
        "pods": one.pods,
        "workloads": list(one.workloads),
        "seen": one.entry.moment,
        "entry": one.entry.number,
    }


def _view_to_dict(view: PlatformView) -> dict[str, Any]:
    return {
        "manifest_digest": str(view.manifest_digest),
        "config_digest": str(view.config_digest),
        "size_bytes": view.size,
        "layers": [
            {
                "name": layer.name,
                "digest": str(layer.digest),
                "diff_id": str(layer.diff_id),
                "size_bytes": layer.size,
                "contents": list(layer.contents),
            }
            for layer in view.layers
        ],
    }


def _row_to_dict(row: Row) -> dict[str, Any]:
    return {"name": row.name, "version": row.version, "platforms": list(row.platforms) or None}
