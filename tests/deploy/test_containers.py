"""The container files, as far as they can be judged without an engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@pytest.fixture
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


def test_the_containers_are_the_processes_of_the_procfile(services: dict[str, Any]) -> None:
    processes = {line.partition(":")[0] for line in (ROOT / "deploy" / "Procfile").read_text().splitlines()}
    roles = [service["environment"].get("ROLE") for service in services.values()]

    assert {role for role in roles if role} == processes
    assert roles.count("edge") == 2
    assert roles.count("beat") == 1


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    values = [
        (name, str(value))
        for service in services.values()
        for name, value in service["environment"].items()
        if re.search("PASSWORD|SECRET|KEYS|_URL$", name) and name != "PUBLIC_URL"
    ]

    assert values
    assert [name for name, value in values if "${" not in value] == []
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_container_is_watched_and_ours_may_nothing(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if service["image"] == "fanoutcloud":
            assert service["cap_drop"] == ["ALL"], name
            assert service["read_only"] is True, name
        else:
            assert "healthcheck" in service, name


def test_the_image_does_not_run_as_root_and_copies_what_there_is() -> None:
    lines = DOCKERFILE.read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    allowed = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()

    assert [line for line in lines if line.startswith("USER ")] == ["USER fanout"]
    assert lines.index("USER fanout") < next(i for i, line in enumerate(lines) if line.startswith("CMD "))
    assert [word for word in copied if not (ROOT / word).exists()] == []
    assert [word for word in copied if f"!{word}" not in allowed] == []
