"""What every stack on core promises. Runs inside the image, beside the services of tests.toml."""

from __future__ import annotations

import json
import ssl
import urllib.request
import zoneinfo


def test_the_api_server_answers_for_its_database() -> None:
    with urllib.request.urlopen("http://127.0.0.1:8080/api/v2/monitor/health", timeout=10) as answer:
        assert json.load(answer)["metadatabase"]["status"] == "healthy"


def test_a_dag_of_the_task_sdk_is_understood() -> None:
    from airflow.sdk import dag, task

    @dag
    def greeting() -> None:
        @task
        def say() -> str:
            return "hello"

        say()

    assert greeting().task_ids == ["say"]


def test_certificates_of_public_authorities_are_trusted() -> None:
    assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 100


def test_time_zones_are_there() -> None:
    assert zoneinfo.ZoneInfo("Europe/Lisbon").key == "Europe/Lisbon"
