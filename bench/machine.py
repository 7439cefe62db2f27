"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import Connection

SETTINGS = [
    "fsync", "synchronous_commit", "full_page_writes", "autovacuum", "shared_buffers", "work_mem",
    "effective_cache_size", "random_page_cost", "jit",
]  # fmt: skip


def describe(db: Connection) -> str:
    """Machine, system, Postgres, and those of its settings that matter here: one line each."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    settings = [f"{name}={db.execute(f'show {name}'.encode()).fetchall()[0][0]}" for name in SETTINGS]
    [(postgres,)] = db.execute("show server_version").fetchall()
    return "\n".join(
        [
            f"Machine: {os.cpu_count()} cores ({_processor()}), {memory_gib:.0f} GiB of memory, "
            f"{platform.system()} {platform.release()}, load before {os.getloadavg()[0]:.1f}",
            f"Postgres {postgres}: {', '.join(settings)}",
        ]
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
