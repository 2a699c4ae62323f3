"""The lane for batches.

lane         what a run asks in batches, and how it waits
sending, collecting   a batch on its way out, and what comes back
outcomes     what came of each request
items        what these share
"""
