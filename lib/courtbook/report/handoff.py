"""The handoff document: how a run stands, what is left, and the command with which whoever comes next goes on."""

import shlex
import textwrap
from collections.abc import Mapping
from datetime import date
from typing import Any

from courtbook.catalog import Catalog
from courtbook.coverage import DateState
from courtbook.evidence.history import days_of, outcomes
from courtbook.evidence.record import Run
from courtbook.report.pages import Gate, blockers_of, calendar_of, check_lines, coverage_lines, coverage_of, document
from courtbook.report.text import WIDTH, fenced, fitted, listed, plain, wrapped
from courtbook.report.trouble import Next, what_failed, what_next, why_of
from courtbook.report.work import duration

_LEFT = (DateState.MISSING, DateState.PARTIAL, DateState.STALE, DateState.SOURCE_GAP)
_MOST = 8  # checks that are spelled out; all of them stand in the results documents and in result.json


def handoff(run: Run, catalog: Catalog, gates: Mapping[str, Gate]) -> str:
    """Return the handoff document of a run.

    Parameters
    ----------
    gates : mapping
        What each gate said last, by name.
    """
    read, blockers = coverage_of(run, catalog), blockers_of(gates)
    steps = [
        [item.step, item.name, item.verdict, f"{item.started[:19]}Z", item.seconds and duration(item.seconds)]
        for item in run.attempts
    ]
    accounts = dict.fromkeys(f"{item.user}@{item.host}" for item in run.attempts)
    people = ", ".join([run.params.get("operator") or "nobody is named", *accounts])
    who = f"The operator (unauthenticated, as the parameters say) and the account that ran it: {people}."
    failed = listed(what_failed(run)) or ["Nothing."]
    sections = {
        "Steps": fenced(fitted(steps, ["step", "attempt", "verdict", "begun", "took"])),
        "State": coverage_lines(read),
        "What failed": [*failed, "", *check_lines(blockers[:_MOST])] if blockers else failed,
        "What is left": _left(run, catalog, read),
        "Next": _next(what_next(run, catalog, blockers)),
        "Who to ask": [wrapped(plain(who))],
    }
    return document(run, "Handoff", run.verdict, why_of(run), sections=sections)


def _left(run: Run, catalog: Catalog, read: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List dates that are not as they should be, those left out that were written since coverage was read."""
    if not read:
        return ["Coverage was not read in this run: what is left is not known."]
    place = max(number for number, event in enumerate(run.events) if event["kind"] == "coverage")
    later = [event["data"] for event in run.events[place:] if event["kind"] == "dates"]
    done = {name: days for name, days in days_of(outcomes(later), succeeded=True).items() if days}
    calendar, lines = calendar_of(read), []
    for name, item in read.items():
        for state in _LEFT:
            days = set(map(date.fromisoformat, item["states"].get(state.value, ()))) - done.get(name, set())
            lines += [f"{name}: {len(days)} dates {state.value}: {calendar.spans(days)}"] if days else []
    lines = listed(lines) or ["Nothing in what was read."]
    if done:
        since = ", ".join(f"{len(days)} dates of {name}" for name, days in done.items())
        lines += ["", wrapped(f"Not counted are dates that were written after coverage was read last: {since}.")]
    if unread := [table.name for table in catalog.processed if table.name not in read]:
        lines += ["", wrapped(f"Not read in this run, and so not known: {', '.join(unread)}.")]
    return lines


def _next(found: Next) -> list[str]:
    lines = [wrapped(plain(found.words))]
    if found.against:
        lines += ["", *listed(found.against)]
    if found.commands:
        lines += ["", *fenced("\n".join(map(_broken, found.commands)))]
    return lines


def _broken(command: str) -> str:
    """Break a command between its words, so that a shell still takes it for one."""
    words = " ".join(shlex.quote(word).replace(" ", "\0") for word in shlex.split(command))
    lines = textwrap.wrap(words, WIDTH - 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return " \\\n".join(lines).replace("\0", " ")
