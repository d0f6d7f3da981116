"""Game dates, seasons and the bootstrap, read from the schedule in the warehouse."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from courtbook.catalog import Table
from courtbook.errors import ParameterError, Reason
from courtbook.warehouse.base import Values, Warehouse
from courtbook.warehouse.statement import render

if TYPE_CHECKING:
    from courtbook.params import Params


def read_span(text: str, next_action: str) -> tuple[date, date]:
    """Read a date or two as the command line gives them: ``2024-01-05``, ``2024-01-08..2024-01-12``.

    Raises
    ------
    ParameterError
        If it is neither.
    """
    first, dots, last = text.partition("..")
    try:
        return date.fromisoformat(first), date.fromisoformat(last if dots else first)
    except ValueError as error:
        raise ParameterError(
            f"'{text}' is no date and no range of dates.", where="--dates", next_action=next_action
        ) from error


@dataclass(frozen=True)
class GameDay:
    """One date with at least one game that counts."""

    day: date
    season: int
    season_start: date
    games: int


@dataclass(frozen=True)
class Calendar:
    """The game dates of a range, oldest first."""

    days: tuple[GameDay, ...]
    bootstrap_days: int

    def in_bootstrap(self, game_day: GameDay) -> bool:
        """Tell whether a date lies in the first days of its season, where Phase 4 holds no rows."""
        return (game_day.day - game_day.season_start).days < self.bootstrap_days

    def dates(self, *, after_bootstrap: bool = False) -> tuple[date, ...]:
        """Return the game dates; only those outside the bootstrap if asked."""
        return tuple(item.day for item in self.days if not (after_bootstrap and self.in_bootstrap(item)))

    def bootstrap(self) -> frozenset[date]:
        """Return the game dates inside the bootstrap."""
        return frozenset(item.day for item in self.days if self.in_bootstrap(item))

    def seasons(self) -> tuple[int, ...]:
        """Return the starting years of the seasons."""
        return tuple(sorted({item.season for item in self.days}))

    def amount(self, by: str) -> float:
        """Return how much there is of what documents scale their bounds by."""
        games = sum(item.games for item in self.days)
        if by == "games":
            return games
        if by == "share outside the bootstrap":
            return sum(item.games for item in self.days if not self.in_bootstrap(item)) / games
        raise ValueError(f"nothing is scaled by '{by}'")

    def spans(self, days: Iterable[date], *, most: int = 8) -> str:
        """Write dates as ranges of consecutive game dates, at most so many of them."""
        position = {day: number for number, day in enumerate(self.dates())}
        ranges: list[list[date]] = []
        for day in sorted(days):
            before = position.get(ranges[-1][1]) if ranges else None
            if before is not None and position.get(day) == before + 1:
                ranges[-1][1] = day
            else:
                ranges.append([day, day])
        shown = [f"{first}" if first == last else f"{first} .. {last}" for first, last in ranges[:most]]
        rest = f" and {len(ranges) - most} more" if len(ranges) > most else ""
        return ", ".join(shown) + rest

    def history_from(self, first: date) -> date:
        """Return the opening day of the season that ``first`` lies in: no window looks back further."""
        starts = [item.season_start for item in self.days if item.day >= first]
        return min([first, *starts])

    def values(
        self, dates: Sequence[date], *, skip_days: int = 0, min_games: int = 0, processed_at: datetime | None = None
    ) -> Values:
        """Return the parameters that every statement about these dates may use."""
        values: dict[str, object] = {
            "dates": sorted(dates),
            "first_date": min(dates),
            "last_date": max(dates),
            "history_from": self.history_from(min(dates)),
            "skip_days": skip_days,
            "min_games": min_games,
        }
        if processed_at is not None:
            values["processed_at"] = processed_at
        return values  # type: ignore[return-value]

    def table_values(self, table: Table, dates: Sequence[date], *, processed_at: datetime | None = None) -> Values:
        """Return the parameters for statements about a table that declares an expectation."""
        return self.values(
            dates,
            skip_days=self.bootstrap_days if table.expected.after_bootstrap else 0,
            min_games=table.expected.min_games,
            processed_at=processed_at,
        )


def read_calendar(warehouse: Warehouse, params: "Params", domain: str = "nba") -> Calendar:
    """Read the game dates of the run's range from the schedule.

    Raises
    ------
    ParameterError
        If the range holds no game that counts.
    """
    rows = warehouse.query(
        render(domain, "calendar.sql"),
        {
            "first_date": params.range.start,
            "last_date": params.range.end,
            "seasons_from": params.range.start - timedelta(days=400),
        },
    )
    days = tuple(
        GameDay(day.date(), int(season), start.date(), int(games))
        for day, season, start, games in zip(
            rows["day"], rows["season"], rows["season_start"], rows["games"], strict=True
        )
    )
    if not days:
        raise ParameterError(
            f"No game that counts was played from {params.range.start} to {params.range.end}.",
            where="range",
            next_action="Choose a range with games, or load the schedule of that time.",
            reason=Reason.NO_GAMES,
        )
    return Calendar(days, params.bootstrap_days)
