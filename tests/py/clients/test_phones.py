"""Numbers are read in Postgres as libphonenumber reads them: every country, every way its numbers are written."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING, Any

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneMetadata,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
)

from devstack import phone_regions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest
    from conftest import World

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
EXAMPLES = int(os.environ.get("SOAK_NUMBERS", "2000"))
WRITTEN = "0123456789 -().\u2010\u00a0"


def expected(written: str, country: str) -> str | None:
    """What the library makes of it: parsed, of a possible length, and among the country's numbers."""
    try:
        number = phonenumbers.parse(written, country)
    except NumberParseException:
        return None
    national = phonenumbers.national_significant_number(number)
    calling: Any = number.country_code
    main: Any = PhoneMetadata.metadata_for_region_or_calling_code(
        calling, phonenumbers.region_code_for_country_code(calling)
    )
    e164: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if (
        phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE
        or not re.fullmatch(main.general_desc.national_number_pattern, national)
        or not 8 <= len(e164) <= 16
    ):
        return None
    return e164


def forms(country: str) -> Iterator[str]:
    """The library's own examples of a country's numbers, as they are written and dialled."""
    metadata: Any = PhoneMetadata.metadata_for_region(country)
    kinds = [
        PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.TOLL_FREE, PhoneNumberType.VOIP,
        PhoneNumberType.PREMIUM_RATE, PhoneNumberType.UAN,
    ]  # fmt: skip
    for kind in kinds:
        number = phonenumbers.example_number_for_type(country, kind)
        if number is None:
            continue
        national = phonenumbers.national_significant_number(number)
        yield from (
            phonenumbers.format_number(number, how)
            for how in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
        )
        yield national
        yield f"{number.country_code}{national}"
        yield f"00{number.country_code}{national}"
        yield f"+{number.country_code} (0) {national}"
        yield f"{metadata.national_prefix or ''}{national}"
        yield phonenumbers.format_out_of_country_calling_number(number, "AU")
        yield national[:-1]
        yield national + "7"


def compare(world: World, subtests: pytest.Subtests, pairs: Iterable[tuple[str, str]]) -> None:
    written, countries = zip(*pairs, strict=True)
    found = world.rows(
        "select w as written, c as country, app.normal_phone(w, c) as normal"
        " from unnest(%s::text[], %s::text[]) as x (w, c)",
        list(written), list(countries),
    )  # fmt: skip
    wrong = {
        (row["written"], row["country"]): (row["normal"], wanted)
        for row in found
        if row["normal"] != (wanted := expected(row["written"], row["country"]))
    }
    with subtests.test(f"{len(found)} numbers"):
        assert wrong == {}


def test_every_country_as_its_people_write(world: World, subtests: pytest.Subtests) -> None:
    compare(world, subtests, [(form, country) for country in COUNTRIES for form in forms(country)])


def test_anything_of_digits_and_marks(world: World, subtests: pytest.Subtests) -> None:
    made = random.Random(7)  # noqa: S311 - the same numbers in every run
    regions: list[Any] = [PhoneMetadata.metadata_for_region(country) for country in COUNTRIES]
    pairs = []
    for _ in range(EXAMPLES):
        country = made.choice(COUNTRIES)
        calling = str(made.choice(regions).country_code)
        start = made.choice(
            ["", "", "+", "00", "0", "011", "+0", "++", "(", f"+{calling}", f"00{calling}", calling, "1", "8"]
        )
        pairs.append((start + "".join(made.choices(WRITTEN, k=made.randint(1, 14))), country))
    compare(world, subtests, pairs)


def test_what_postgres_knows_is_what_the_library_knows() -> None:
    assert phone_regions.shipped() == phone_regions.statements(), "`./just phone-regions` writes the next migration"
