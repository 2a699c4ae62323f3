"""Reading the spec bundle of a cohort: `config.yaml`, and the files it names, into a design.

Data model. Whatever the format of a file, its content becomes `Value`s: texts as they are written
(``1.10`` stays ``1.10``), lists and mappings, each with its place, so that every error can say it.
Each rule becomes one `Relation`. An entry of a rule has a `Shape`, whose parts are axes or other
rules: the level of a rule is the list of its parts' levels. Flattened, an entry is a row of levels.
All problems of a bundle are reported together. docs/spec.md is the manual of the format.

    values   files  ->  values with their places
    axes     the section `axes`: names and levels
    rules    the section `rules`  ->  relations
    spec     `Spec`: all sections
"""

from daydream.cohorts.spec.axes import canonical_axis
from daydream.cohorts.spec.spec import Parents, Spec, load_spec, other_cohorts

__all__ = ["Parents", "Spec", "canonical_axis", "load_spec", "other_cohorts"]
