"""Two cohorts compared: what they share, what only one of them has, and where each has holes.

A cell of a cohort is a combination of one level per axis. The axes are the combo, and the template,
model, replicate and further dimensions of each stage down to a scored one. A cohort's levels are
those that occur in it, and all their combinations are its full factorial. Each cell is one of

    scored     it is a generation of the cohort, and has a score that is current
    unscored   it is a generation of the cohort, and has none: not yet, or no longer after an edit
    left out   the design has no such generation

The calls of a hole are those in its lineage that the plan counts (`planning.plan`), with those that
wait for a parent. Copies need no call, and neither does what is already answered, in the journal or
in the store. A call that several holes share is counted once. The calls of the cells left out are
counted in addition to those of the unscored ones. A factorial of more than `LIMIT` cells is counted
without looking at each cell. Its calls are then an upper bound, because answers that other cohorts
have are not looked up.

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
