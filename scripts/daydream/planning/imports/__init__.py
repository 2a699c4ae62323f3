"""Import: generations that were made elsewhere become a cohort without any call.

The source is a data root of this form, where the last two files may be missing:

    <source>/gens/<stage>/<gen_id>/prompt.txt, raw.txt, parsed.txt, metadata.json
                                   raw_metadata.json, parsed_metadata.json

A generation keeps its id and its texts, byte for byte. Its answer is journaled under the request
that its prompt makes under the present settings, where later runs find it. The entry keeps all
that the source says about it, as `imported` in the response. What cannot be imported is left out of
the cohort, and reported with its kind:

    orphan          its parent is not in the source
    contradiction   its files contradict each other, the catalogs, or what the store has already
    descendant      its parent is left out

A text counts as made from the template, settings and parser at the time of the import, which are
recorded with it. A later edit makes it again, as it does any other text.
"""

from daydream.planning.imports.importing import import_store

__all__ = ["import_store"]
