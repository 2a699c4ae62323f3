"""Reports on a cohort: its scores, its calls, its ranking, and whether each is up to date.

In:  an experiment, and the state of its generations.
Out: tables below `data/cohorts/<cohort>/reports`, and the record of what each was made of.
"""
