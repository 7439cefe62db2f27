"""`./just bench [name …]`: run the benches named, or all, on one throw-away server; exit 1 when a promise is broken."""

from __future__ import annotations

import sys
import time

import click
from rich.console import Console

from bench import automations, due_work, machine, row_security, sessions
from bench.ground import ADMIN_DATABASE, Ground
from devstack.postgres import throw_away
from devstack.problems import Problem

BENCHES = {
    "row_security": row_security.run,
    "due_work": due_work.run,
    "sessions": sessions.run,
    "automations": automations.run,
}


@click.command(help="Measure what things cost. NAMES: " + ", ".join(BENCHES) + "; none means all.")
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--orgs", default=10_000, show_default=True, type=click.IntRange(min=50), help="How many orgs to store.")
@click.option(
    "--bookings", default=1_000_000, show_default=True, type=click.IntRange(min=10_000), help="How many bookings."
)
def main(names: tuple[str, ...], orgs: int, bookings: int) -> None:
    """Print the machine, then each bench's tables and plans."""
    # As wide as the widest table, so that the output can be kept in a file.
    console = Console(width=200, highlight=False)
    started = time.perf_counter()
    failures: list[str] = []
    with throw_away(durable=True) as cluster:
        ground = Ground(cluster, console, orgs, bookings)
        ground.configure()
        with ground.connect(ADMIN_DATABASE) as db:
            console.print(machine.describe(db))
        for name in names or BENCHES:
            console.rule(name, align="left")
            failures += BENCHES[name](ground)
    for failure in failures:
        console.print(f"[red]{failure}")
    console.print(f"\n{time.perf_counter() - started:.0f} s in all.")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"coach-os: {problem}")
