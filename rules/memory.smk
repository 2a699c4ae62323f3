# What the jobs that make texts take of memory, with Snakemake 9.27: a job has six lists and four
# files, of which each has a dict of its own, and a list of files one more for the names in it. Of
# 90,000 jobs these were two thirds of a gigabyte.
from types import MappingProxyType

from snakemake.io import AnnotatedString
from snakemake.iocontainers import Namedlist
from snakemake.jobs import Reason
from snakemake.rules import Rule

NOTHING = frozenset()
# The sets of a job that hold none of the outputs of a text.
SETS_OF_OUTPUTS = (
    "temp_output",
    "protected_output",
    "touch_output",
    "pipe_or_service_output",
    "_queue_input",
)
OTHER_REASONS = (
    "noio",
    "nooutput",
    "pipe",
    "service",
    "code_changed",
    "params_changed",
    "software_stack_changed",
    "input_changed",
    "unfinished_queue_input",
)
NO_NAMES = MappingProxyType({})


class Slim:
    """A list of files whose names are those of its class, and so are kept once."""

    _names = NO_NAMES

    def __getattr__(self, name):
        # Not by the instance: it has no dict until something is set.
        names = type(self)._names
        if name not in names:
            raise AttributeError(f"no {name!r} among {', '.join(names) or 'no names'}")
        start, end = names[name]
        return self[start] if end is None else Namedlist(toclone=self[start:end])

    def get(self, key, default_value=None):
        return getattr(self, key) if key in self._names else default_value

    def _set_name(self, name, index, end=None):
        vars(self).setdefault("_names", dict(self._names))
        super()._set_name(name, index, end)

    def _insert_items(self, index, items):
        vars(self).setdefault("_names", dict(self._names))
        super()._insert_items(index, items)

    def __reduce_ex__(self, protocol):
        # Elsewhere it is a list of Snakemake's own.
        names = {name: getattr(self, name) for name in self._names}
        state = {"_names": dict(self._names), **names}
        return type(self).__mro__[2], (), state, iter(self)


@cache
def slim_class(kind, names):
    """Return the class of the lists of a kind that have these names."""
    known = MappingProxyType(dict(names))
    return type(kind.__name__, (Slim, kind), {"_names": known})


def slim_list(files):
    """Return a list as it is, without a dict of its own."""
    kind = type(files)
    if issubclass(kind, Slim):
        return files
    own = slim_class(kind, tuple(files._names.items()))
    slim = list.__new__(own)
    list.extend(slim, map(slim_file, files))
    return slim


@cache
def slim_string(flags):
    """Return the class of the paths that have these flags."""
    own = {"_flags": MappingProxyType(dict(flags)), "callable": None}
    return type("AnnotatedString", (AnnotatedString,), own)


def slim_file(file):
    """Let a file share its flags with others; return it."""
    path = getattr(file, "_file", None)
    if isinstance(path, str) and not (file.is_callable() or file.is_storage):
        try:
            own = slim_string(tuple(file.flags.items()))
        except TypeError:  # a flag that cannot be a key
            return file
        # What is there may be another file, with a path of its own.
        file._file = str.__new__(own, path)
    return file


def slim_job(init):
    """A text's job shares what is the same in all such jobs."""

    def __init__(self, *arguments, **options):
        init(self, *arguments, **options)
        if not makes_text(self):
            return
        wildcards = self.wildcards
        self.wildcards = slim_list(wildcards)
        if self._format_wildcards is wildcards:
            self._format_wildcards = self.wildcards
        self.input, self.output = slim_list(self.input), slim_list(self.output)
        for name in SETS_OF_OUTPUTS:
            if not getattr(self, name):
                setattr(self, name, NOTHING)

    return __init__


def slim_log(expand_log):
    """So does its log."""

    def expand(self, wildcards):
        log = expand_log(self, wildcards)
        return slim_list(log) if is_of_texts(self) else log

    return expand


def slim_params(expand_params):
    """And so do its parameters, of which it has none."""

    def expand(self, *arguments, **options):
        params, own = expand_params(self, *arguments, **options)
        return (slim_list(params) if is_of_texts(self) else params), own

    return expand


def ask_without_sets(holds):
    """Asking a reason whether it holds made a set of each of its files, mostly an empty one."""

    def __bool__(self):
        files = self._updated_input or self._missing_output or self._updated_input_run
        if files or self.forced:
            return not self.finished
        return any(getattr(self, name) for name in OTHER_REASONS) and not self.finished

    return __bool__


replace_seen(Reason, __bool__=("4ada2bfa1a0c", ask_without_sets))
replace_seen(Job, __init__=("99534a6b5c87", slim_job))
replace_seen(
    Rule,
    expand_log=("d1d9ddd57a5f", slim_log),
    expand_params=("15d1481ccead", slim_params),
)
