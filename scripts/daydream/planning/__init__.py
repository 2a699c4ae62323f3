"""What a run would do, and what a user can ask about it: plan, explain, diff, import, restore.

In:  an experiment, and the state of its generations (`daydream.experiment.provenance`).
Out: what is requested, what it costs, why something is not current; cohorts side by side.
Makes no call.
"""
