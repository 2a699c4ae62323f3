"""What the rules need for their process: messages, logs, progress, locks, runs within a run.

In:  an experiment, and what Snakemake says while it runs.
Out: lines on the terminal, logs of jobs, the summary at the end.
The library never imports Snakemake. What touches its internals is in rules/run.smk and
rules/tuning.smk.
"""
