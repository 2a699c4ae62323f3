"""Import: generations that were made elsewhere become a cohort, without a call.

The source is a data root of this form, where the last two files may be missing:

    <source>/gens/<stage>/<gen_id>/prompt.txt, raw.txt, parsed.txt, metadata.json
                                   raw_metadata.json, parsed_metadata.json

A generation keeps its id and its texts, byte for byte. Its answer is journaled under the request
that its prompt makes under the present settings, where a later run finds it; the entry keeps, as
`imported` in the response, all that the source says of it. What cannot be imported is left out of
the cohort, and reported with its kind:

    orphan          its parent is not in the source
    contradiction   its files contradict each other, the catalogs, or what the store has already
    descendant      its parent is left out

A text counts as made of what is there today: the template, the settings and the parser of the
import's day are recorded with it, and an edit after that makes it again like any other.
"""

from daydream.planning.imports.importing import import_store

__all__ = ["import_store"]
