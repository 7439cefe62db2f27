"""The books as a file that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMNS = (
    "event_at",
    "event_date",
    "type",
    "amount",
    "currency",
    "tax",
    "tax_category",
    "source",
    "reference_id",
    "client_name",
    "payment_status",
    "notes",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula. Source: https://owasp.org/www-community/attacks/CSV_Injection"""


def csv_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The header and then each row, as RFC 4180 has it. A text that would be a formula is kept a text by a quote."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\r\n")
    for cells in (COLUMNS, *([_cell(row[column]) for column in COLUMNS] for row in rows)):
        writer.writerow(cells)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    # Amounts are numbers of our own, also the negative ones.
    return str(value)
