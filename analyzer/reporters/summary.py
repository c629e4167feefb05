"""What a whole report says in one sentence."""

from __future__ import annotations

from analyzer.analysis import Analysis
from analyzer.finding import Finding, Severity, State
from analyzer.reporters.groups import Group, instance_groups
from analyzer.reporters.style import name, prose, state_rank, states_line
from analyzer.reporters.units import count

# Somebody has to look at these.
TROUBLE = (State.STUCK, State.FAILED, State.DEAD_LETTERED, State.ORPHANED, State.LATE)
HEADLINE = 200  # characters; a longer one is no headline


def verdict(analysis: Analysis) -> tuple[str | None, str]:
    """The state that speaks for the whole (None: none does), and the sentence. Escaped."""
    states, total = analysis.by_state, analysis.instances.height
    if total == 0:
        return None, "No workflow instance was found."
    trouble = {s.value: states[s] for s in TROUBLE if states.get(s)}
    if trouble:
        number = sum(trouble.values())
        verb = "needs" if number == 1 else "need"
        said = f"{number:,} of {total:,} workflow instances {verb} attention"
        return min(trouble, key=state_rank), f"{said}: {states_line(trouble)}."
    groups = instance_groups(analysis.findings)
    wrong = [group for group in groups if group.worst.severity is not Severity.NOTE]
    if wrong:
        return None, f"No instance of {total:,} is stuck or failed, but {_kinds(wrong)}."
    calm = f"Nothing wrong in {count(total, 'workflow instance')}: {states_line(states)}"
    notes = f"; {count(len(groups), 'note')} below" if groups else ""
    return State.COMPLETE.value, f"{calm}{notes}."


def worst(analysis: Analysis) -> Finding | None:
    """What has to be said first; None where there are notes only, or nothing."""
    groups = instance_groups(analysis.findings)
    if not groups or groups[0].worst.severity is Severity.NOTE:
        return None
    return groups[0].worst


def briefly(message: str) -> str:
    """The message without its last clauses where it is long: the findings tell it in full."""
    said = message
    while len(said) > HEADLINE and "; " in said:
        said = said.rpartition("; ")[0]
    return prose(said, HEADLINE + 40) + ("" if said == message else " …")


def _kinds(groups: list[Group]) -> str:
    kinds: dict[str, int] = {}
    for group in groups:
        kinds[group.kind] = kinds.get(group.kind, 0) + group.instances
    named = ", ".join(f"{number:,} {name(kind)}" for kind, number in kinds.items())
    return f"{count(sum(kinds.values()), 'finding')}: {named}"
