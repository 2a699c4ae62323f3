"""Two cohorts side by side: what they share, what each has alone, and where each has holes.

A cell of a cohort is one level of each axis: the combo, and template, model, replicate and further
dimensions of each stage down to a scored one. A cohort's levels are those that occur in it; the
cells of all their combinations are its full factorial. Of these a cell is

    scored     it is a generation of the cohort, and there is a score
    unscored   it is a generation of the cohort, and there is none yet
    left out   its design has no such generation

The calls of a hole are those of its lineage that are still to be made: copies make none, and
neither does what is answered already, in the journal or in the store. A call that holes share is
counted once, and the calls of what is left out are those that come on top of the unscored ones'.
A factorial of more than `LIMIT` cells is counted, not walked: these calls are then the most that
there can be, as what other cohorts have answered of them is not looked up.

The table `data/cohorts/<left>/reports/diff/<right>.csv` has one row for

    kind       cohort, stage   count
    both       ''              generations that both cohorts have
    only       the cohort      generations that it alone has
    unscored   the cohort      1: a hole, its calls, and its level on each axis
    left_out   the cohort      1: likewise; more than `LISTED` of them have a row per level instead,
                               with the number of its holes and their calls
"""

from daydream.planning.diff.coverage import Coverage, Store
from daydream.planning.diff.report import compare, memberships_of

__all__ = ["Coverage", "Store", "compare", "memberships_of"]
