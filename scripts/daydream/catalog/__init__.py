"""The catalogs: what a template, a model, a concept, a combo and an item are, and what a prompt is.

In:  the tables and texts below `data/1_raw`, and the combos.
Out: `Catalog`, records by id; a prompt, rendered from a template and its variables.
Knows nothing of cohorts, generations or calls.
"""
