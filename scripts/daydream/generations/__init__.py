"""Generations: their keys and ids, the rows that describe them, and which rows a run is about.

In:  stages (`daydream.settings`), and the catalogs for the names that a selection may use.
Out: `Generation`, one row of a membership; the rows that `where` and `exclude` select; shards.
Reads no file of a cohort and none of the store.
"""
