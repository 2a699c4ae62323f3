"""Daydream: LLM experiments as files.

The library behind the workflow. It never imports Snakemake; the rules call it. Packages depend on
each other in one direction: pyproject.toml lists their layers, under [tool.importlinter].
"""
