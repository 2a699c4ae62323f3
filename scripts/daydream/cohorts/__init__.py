"""Cohorts: from a spec, or from rows given by hand, to the rows of `membership.csv`.

In:  settings, catalogs, and the directory `data/cohorts/<cohort>/spec`.
Out: the generations of a cohort, the text of its membership and of its manifest.
Makes no call; reads of the store only what a spec's block `from` names.
"""
