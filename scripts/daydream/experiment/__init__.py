"""An experiment: settings, catalogs and cohorts put together, and the state of each generation.

In:  the settings of a run.
Out: the generations of its cohorts; what each is made of (`recipes`); what is current
     (`provenance`); its three phases as functions of files (`phases`).
"""
