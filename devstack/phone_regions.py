"""`./just phone-regions`: libphonenumber's metadata, from the installed `phonenumbers`, as the next migration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import PhoneMetadata

from devstack.functions import MIGRATIONS
from devstack.layout import ROOT
from devstack.problems import told

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = "_phone_regions_data.sql"
_COLUMNS = (
    "region, calling_code, is_main, international_prefix, national_prefix, national_prefix_becomes, pattern, lengths,\n"
    "  local_lengths"
)


def statements() -> str:
    """The SQL that brings app.phone_regions to the installed library's metadata."""
    rows = [
        _row(region, PhoneMetadata.metadata_for_region(region)) for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    ]
    rows += [
        _row(str(code), PhoneMetadata.metadata_for_nongeo_region(code))
        for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    ]
    values = ",\n".join(f"  ({row})" for row in rows)
    return (
        f"insert into app.phone_regions (\n  {_COLUMNS}\n)\nvalues\n{values}\n"
        "on conflict (region) do update\n"
        "   set calling_code = excluded.calling_code, is_main = excluded.is_main,\n"
        "       international_prefix = excluded.international_prefix, national_prefix = excluded.national_prefix,\n"
        "       national_prefix_becomes = excluded.national_prefix_becomes, pattern = excluded.pattern,\n"
        "       lengths = excluded.lengths, local_lengths = excluded.local_lengths;\n"
    )


def shipped() -> str:
    """The statements of the newest migration that carries them; empty when there is none."""
    newest = max(MIGRATIONS.glob(f"*{SUFFIX}"), default=None)
    return newest.read_text().split("\n\n", 1)[1] if newest else ""


def render(now: datetime) -> Path | None:
    """Write the next migration, unless the newest one carries the same."""
    text = statements()
    if text == shipped():
        return None
    newest = max(file.name[:14] for file in MIGRATIONS.glob("*.sql"))
    target = MIGRATIONS / f"{max(now.strftime('%Y%m%d%H%M%S'), str(int(newest) + 1))}{SUFFIX}"
    target.write_text(
        "-- Written by `./just phone-regions` from libphonenumber's metadata "
        f"(phonenumbers {phonenumbers.__version__}); not to be edited.\nset lock_timeout = '5s';\n\n{text}"
    )
    return target


def _row(region: str, metadata: PhoneMetadata | None) -> str:
    if metadata is None or metadata.general_desc is None or metadata.country_code is None:
        raise ValueError(f"libphonenumber knows nothing of {region}")
    becomes = metadata.national_prefix_transform_rule
    described = metadata.general_desc
    is_main = not region.isalpha() or phonenumbers.region_code_for_country_code(metadata.country_code) == region
    return ", ".join(
        (
            _text(region),
            str(metadata.country_code),
            str(is_main).lower(),
            _text(metadata.international_prefix),
            _text(metadata.national_prefix_for_parsing),
            _text(becomes),
            _text(described.national_number_pattern),
            _lengths(described.possible_length),
            _lengths(described.possible_length_local_only),
        )
    )


def _text(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


def _lengths(values: tuple[int, ...]) -> str:
    return "'{" + ",".join(map(str, values)) + "}'"


@told
def main() -> None:
    """Render what changed and say so."""
    target = render(datetime.now(UTC))
    print(f"wrote {target.relative_to(ROOT)}" if target else "the newest migration carries this metadata")


if __name__ == "__main__":
    main()
