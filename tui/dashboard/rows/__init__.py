"""The one virtual table of the screens: of a million rows only the visible ones become text.

A screen declares its columns once and hands over views, made in a worker:

    COLUMNS = (
        Column("state", "STATE", cells_of_state, width=9, sort="state"),
        Column("name", "NAME", texts("name"), width=24, least=10, grow=1, sort="name"),
    )
    table = Rows(COLUMNS, drawing=drawing)           # a widget; takes the focus
    view = arrange(frame, "name", now_ns, where=expression, by=table.order_by(now_ns))  # a worker
    table.show(view)                                 # on the event loop

The cursor stands on a key, not on a place: it survives new views, and so do the marks. What is
told: `Rows.Moved` (the cursor), `Rows.Opened` (enter, or a second click), `Rows.Sorting` (the
order that is wanted; arrange again), `Rows.Marked`.
"""

from tui.dashboard.rows.column import Cell, Cells, Column, Tone, counts, texts, widths
from tui.dashboard.rows.table import Rows
from tui.dashboard.rows.view import Group, View, arrange, ordered

__all__ = [
    "Cell",
    "Cells",
    "Column",
    "Group",
    "Rows",
    "Tone",
    "View",
    "arrange",
    "counts",
    "ordered",
    "texts",
    "widths",
]
