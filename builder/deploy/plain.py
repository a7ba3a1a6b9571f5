"""Forms for scripts: one line, JSON, variables of a shell; and for Terraform."""

from __future__ import annotations

import json

import msgspec

from builder.deploy.answer import DigestAnswer
from builder.deploy.options import FormOptions, chart_values


def render_ref(image: DigestAnswer, options: FormOptions) -> str:
    """Render `repository@digest` and a line end."""
    del options
    return f"{image.reference}\n"


def render_json(image: DigestAnswer, options: FormOptions) -> str:
    """Render all that is known, in the order of its fields."""
    del options
    return _dump(msgspec.to_builtins(image))


def render_env(image: DigestAnswer, options: FormOptions) -> str:
    """Render variables, one on a line: for `eval`, `docker run --env-file` and `docker compose --env-file` alike.

    No value needs quoting, as names of stacks, repositories, tags and digests hold nothing that a shell or Docker would read.
    AIRFLOW_IMAGE_NAME is what Airflow's own compose file asks for.
    """
    del options
    values = {
        "AIRFLOW_IMAGE_NAME": image.reference,
        "AIRFLOW_IMAGE_REPOSITORY": image.repository,
        "AIRFLOW_IMAGE_TAG": image.tag,
        "AIRFLOW_IMAGE_DIGEST": image.digest,
        "AIRFLOW_KUBLER_STACK": image.stack,
        "AIRFLOW_KUBLER_CHANNEL": image.channel,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def render_terraform(image: DigestAnswer, options: FormOptions) -> str:
    """Render variables (`*.auto.tfvars.json`), or local values (`*.tf.json`): the image, and values for the chart."""
    values = {
        "airflow_image": {
            "repository": image.repository,
            "tag": image.tag,
            "digest": image.digest,
            "reference": image.reference,
        },
        "airflow_helm_values": chart_values(image, options),
    }
    return _dump({"locals": values} if options.form == "locals" else values)


def _dump(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
