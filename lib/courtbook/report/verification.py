"""What a verification found, for a terminal."""

from collections.abc import Sequence

from courtbook.verify import Verification


def verification_text(found: Verification, changed: Sequence[str] | None) -> str:
    """Return what was looked at and what does not hold.

    Parameters
    ----------
    changed : sequence of str or None
        Tables that differ from the run's end; None where nobody asked.
    """
    counted = ", ".join(f"{number:,} {what}" for what, number in found.counted.items())
    lines = [f"{found.run}  {found.verdict}  {found.sign_off.value}"]
    if found.digest:
        lines.append(f"digest      sha256:{found.digest}")
    lines.append(f"looked at   {counted}")
    for item in found.signatures:
        why = f": {item.why}" if item.why else ""
        lines.append(
            f"signature {item.number} {item.meaning.value} by {item.name} ({item.role}), {item.time},"
            f" {item.standing.value}{why}"
        )
    if changed is not None:
        lines += [f"warehouse   {line}" for line in changed or ["every table holds what it held at the run's end"]]
    lines.append("")
    if not found.findings:
        lines.append("HOLDS       the archive is what was sealed, and its verdict follows from it")
    else:
        number = len(found.findings)
        lines.append(f"DOES NOT HOLD  {number} finding{'s' if number > 1 else ''}")
        width = min(max(len(item.where) for item in found.findings), 60)
        lines += [f"  {item.where:<{width}}  {item.what}" for item in found.findings]
    return "\n".join(lines)
