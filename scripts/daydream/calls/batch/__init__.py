"""The lane for batches.

lane         what a run asks in batches, and how it waits
sending, collecting   a batch on its way out, and what comes back
outcomes     what came of each request
troubles     batches that cannot be asked for at present
closing      what there is to say of batches that are over
items        what these share
"""
