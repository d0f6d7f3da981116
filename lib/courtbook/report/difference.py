"""What it means that two runs differ: things that are not the same, things that agree, things that nobody recorded."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Values = Mapping[str, str | None]  # None: it belongs there and is not on record
NOT_RECORDED = "not recorded"
_DIGEST = re.compile(r"\b[0-9a-f]{40,64}\b")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in both runs; ``note`` says what to make of it."""

    what: str
    a: str
    b: str
    note: str = ""


@dataclass(frozen=True)
class Part:
    """One aspect of two runs: what differs, how many things agree, and what neither run has on record."""

    title: str
    differences: tuple[Difference, ...]
    same: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two runs, by name and verdict, and every aspect in which they were compared."""

    a: str
    b: str
    parts: tuple[Part, ...]

    @property
    def differing(self) -> tuple[Part, ...]:
        """The aspects in which something differs."""
        return tuple(part for part in self.parts if part.differences)

    @property
    def same(self) -> str:
        """What agrees, in words."""
        told = [f"{part.title.lower()} ({part.same})" for part in self.parts if part.same]
        return ", ".join(told) or "nothing"

    @property
    def unknown(self) -> str:
        """What cannot be told, in words; empty if everything can."""
        return ", ".join(words for part in self.parts for words in part.unknown)

    @property
    def words(self) -> str:
        """The outcome in one line."""
        found = sum(len(part.differences) for part in self.parts)
        if found:
            return f"{found:,} difference{'s' if found > 1 else ''}"
        return "nothing that is on record differs" if self.unknown else "nothing differs"


def compare_values(
    title: str,
    a: Values | None,
    b: Values | None,
    *,
    absent: str = NOT_RECORDED,
    note: Callable[[str], str] = lambda what: "",
) -> Part:
    """Compare what two runs hold under the same names; None: the run has nothing of it on record."""
    if a is None or b is None:
        a, b = ({title.lower(): None if side is None else f"{len(side)} on record"} for side in (a, b))
    differences, unknown, same = [], [], 0
    for what in dict.fromkeys([*a, *b]):
        left, right = (side.get(what, absent) or NOT_RECORDED for side in (a, b))
        if left != right:
            differences.append(Difference(what, *_brief(left, right), note(what)))
        elif NOT_RECORDED in left:
            unknown.append(what)
        else:
            same += 1
    return Part(title, tuple(differences), same, tuple(unknown))


def _brief(left: str, right: str) -> tuple[str, str]:
    """Shorten digests, as long as that leaves two texts different."""
    short = tuple(_DIGEST.sub(lambda found: found[0][:12], text) for text in (left, right))
    return (short[0], short[1]) if short[0] != short[1] else (left, right)
