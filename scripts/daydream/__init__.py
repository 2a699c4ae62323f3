"""Daydream: LLM experiments as files.

The library behind the workflow. It never imports Snakemake; the rules call it. Modules depend
on each other in one direction:

    errors, files, keys <- tables <- catalog, design <- spec <- membership <- cohort
    <- store, prompts, llm, parsers <- experiment <- generation <- results
"""
