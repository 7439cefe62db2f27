"""`./just types`: the database's types for TypeScript, as `supabase gen types` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstack.layout import ROOT
from devstack.postgres import supabase_cli, throw_away
from devstack.problems import Problem, told

if TYPE_CHECKING:
    from devstack.postgres import Cluster

FILE = ROOT / "web" / "lib" / "database.ts"
HEADER = "// Written by `./just types` (supabase gen types) from what the migrations build. Not to be edited.\n\n"


def generate(cluster: Cluster, database: str) -> str:
    """The file's text for a migrated database; the same schema gives the same text."""
    result = supabase_cli(
        *("gen", "types", "--lang", "typescript", "--schema", "public"),
        # Else it would begin the text with a note that this server speaks no TLS.
        f"--remote=postgresql://postgres@127.0.0.1:{cluster.port}/{database}?sslmode=disable",
        password=cluster.password,
    )
    if result.returncode != 0:
        raise Problem(f"The types could not be made: {result.stderr.strip()}")
    return HEADER + result.stdout.lstrip()


@told
def main() -> None:
    """Write the file from a database that exists only for this."""
    with throw_away() as cluster:
        cluster.create_database("types")
        cluster.migrate("types")
        FILE.write_text(generate(cluster, "types"))
    print(f"wrote {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
