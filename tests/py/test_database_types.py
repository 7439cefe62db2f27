"""The web app is type-checked against the database that the migrations build, not against a memory of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack import database_types

if TYPE_CHECKING:
    from devstack.postgres import Cluster


def test_the_committed_types_are_those_of_the_database(cluster: Cluster, template: str) -> None:
    is_current = database_types.FILE.read_text() == database_types.generate(cluster, template)

    assert is_current, "web/lib/database.ts is not what the migrations build: run ./just types"
