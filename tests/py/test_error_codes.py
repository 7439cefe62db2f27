"""Every code that a function raises is in docs/errors.md."""

from __future__ import annotations

import re

from devstack.layout import ROOT

RAISED = re.compile(r"message\s*=\s*'([a-z_]+)'")
BOOKING_PROBLEM = re.compile(r"when '([a-z_]+)' then '[A-Z]")


def test_every_code_is_documented() -> None:
    """<field>_invalid and <column>_not_found stand for many: what is raised by its full name is listed by it."""
    documented = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "errors.md").read_text()))
    of_forms = {"email_invalid", "full_name_invalid", "gender_invalid", "name_invalid"}
    functions = ROOT / "supabase" / "functions_sql"
    raised = {code for file in functions.rglob("*.sql") for code in RAISED.findall(file.read_text())}
    problems = set(BOOKING_PROBLEM.findall((functions / "bookings" / "raise_booking_problem.sql").read_text()))
    assert "slot_taken" in problems
    assert (raised | problems) - of_forms <= documented
