"""From `supabase/functions_sql/` to migrations: the readable home of every function, and what ships it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from devstack.layout import ROOT
from devstack.problems import Problem, told

FUNCTIONS = ROOT / "supabase" / "functions_sql"
MIGRATIONS = ROOT / "supabase" / "migrations"

_BLOCK = re.compile(
    r"^-- >>> functions_sql/(?P<name>\S+)\n(?P<text>.*?)^-- <<< functions_sql/\S+\n", re.MULTILINE | re.DOTALL
)


def function_files() -> dict[str, str]:
    """Name (`area/function.sql`) to text, by name.

    That is an order they can be created in: a body in quotes is looked up when it runs, and a thin public function,
    bound to its app function when it is created, stands below it in the same file.
    """
    return {str(file.relative_to(FUNCTIONS)): file.read_text() for file in sorted(FUNCTIONS.glob("*/*.sql"))}


def shipped() -> dict[str, str]:
    """Name to the text that the newest migration carrying it ships."""
    latest: dict[str, str] = {}
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        latest |= {block["name"]: block["text"] for block in _BLOCK.finditer(migration.read_text())}
    return latest


def changed() -> dict[str, str]:
    """Function files whose text no migration ships yet."""
    done = shipped()
    return {name: text for name, text in function_files().items() if done.get(name) != text}


def removed() -> set[str]:
    """Functions that migrations create, that have no file any more and that no migration says it dropped."""
    return shipped().keys() - function_files().keys() - _dropped()


def render(now: datetime) -> Path | None:
    """Write the next migration with every changed function file; None when there is nothing to write."""
    texts = changed()
    if not texts:
        return None
    newest = max((file.name[:14] for file in MIGRATIONS.glob("*.sql")), default="0")
    version = max(now.strftime("%Y%m%d%H%M%S"), str(int(newest) + 1))
    target = MIGRATIONS / f"{version}_functions.sql"
    blocks = [f"-- >>> functions_sql/{name}\n{text}-- <<< functions_sql/{name}\n" for name, text in texts.items()]
    target.write_text(
        "-- Rendered from supabase/functions_sql by `./just functions`; change the files there, not this one.\n"
        "set lock_timeout = '5s';\nset check_function_bodies = off;\n\n" + "\n".join(blocks)
    )
    return target


@told
def main() -> None:
    """Render what changed and say so."""
    if gone := removed():
        raise Problem(f"{', '.join(sorted(gone))}: shipped by a migration but gone; write a migration that drops it.")
    target = render(datetime.now(UTC))
    print(f"wrote {target.relative_to(ROOT)}" if target else "every function file is shipped by a migration")


def _dropped() -> set[str]:
    marker = re.compile(r"^-- dropped functions_sql/(\S+)$", re.MULTILINE)
    return {name for file in MIGRATIONS.glob("*.sql") for name in marker.findall(file.read_text())}


if __name__ == "__main__":
    main()
