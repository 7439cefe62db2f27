"""Timing that survives a busy machine: everything compared runs in turn, round after round, in the same minute."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Result = TypeVar("Result")

FEWEST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took, in seconds: one value a round."""

    rounds: tuple[float, ...]

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Timing:
        """From the rounds' values, in their order."""
        return cls(tuple(seconds))

    @property
    def median(self) -> float:
        """The round in the middle: what a few slow rounds do not move."""
        return statistics.median(self.rounds)

    def over(self, other: Timing) -> float:
        """How many times as long as the other, as the median of the rounds' ratios.

        Both ran next to each other in each round, so a slow minute of the machine slows both and leaves the ratio.
        """
        return statistics.median(mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True))

    def __str__(self) -> str:
        """Median and the middle half of the rounds, in milliseconds."""
        low, _, high = statistics.quantiles(self.rounds, n=4)
        return f"{_ms(self.median)} ({_ms(low)} to {_ms(high)})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:.0f}"


def in_turn(
    contenders: Mapping[str, Callable[[], Result]], *, rounds: int, warm_up: int, budget_s: float = 10
) -> dict[str, list[Result]]:
    """Call all contenders once a round, each time beginning with another one; returns what they returned, by round.

    When `budget_s` seconds are over no further round begins, but there are at least three.
    """
    names = list(contenders)
    started = time.perf_counter()
    for _ in range(warm_up):
        for name in names:
            contenders[name]()
        if time.perf_counter() - started > budget_s / 2:
            break
    results: dict[str, list[Result]] = {name: [] for name in names}
    for number in range(rounds):
        if number >= FEWEST_ROUNDS and time.perf_counter() - started > budget_s:
            break
        first = number % len(names)
        for name in names[first:] + names[:first]:
            results[name].append(contenders[name]())
    return results


def table(*columns: str, text: int = 1) -> Table:
    """An empty table that can be copied into a document; the first `text` columns are words, the others numbers."""
    made = Table(box=box.MARKDOWN)
    for number, column in enumerate(columns):
        made.add_column(column, justify="left" if number < text else "right", no_wrap=True)
    return made
