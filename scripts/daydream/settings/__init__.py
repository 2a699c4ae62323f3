"""The workflow's settings: one class for each section of config.yaml, each setting said once.

    sources     config.yaml, files of --configfile, --config  ->  where each setting was given
    fields      the kinds of values, lax about text, strict about names
    stages, sampling, providers, budget, views, targets       the sections
    sections    `Settings`: all of them, and what must agree between them
    refusals    what is refused, as lines of place, finding and remedy
    loading     `load_settings`, which the rules call; `check_names`
    schema      config.schema.yaml and the tables of config/README.md, made from the classes

The package knows nothing of Snakemake: everything in it can be tried on a mapping.
"""

from daydream.settings.budget import Budget, RunBudget
from daydream.settings.loading import CONFIG, check_names, load_settings
from daydream.settings.providers import Command, Function, Local, OpenAI, Pool, Provider, Remote
from daydream.settings.sampling import Sampling, as_setting
from daydream.settings.sections import ModelSettings, Settings
from daydream.settings.sources import read_file
from daydream.settings.stages import Stage, chain
from daydream.settings.views import View

__all__ = [
    "CONFIG",
    "Budget",
    "Command",
    "Function",
    "Local",
    "ModelSettings",
    "OpenAI",
    "Pool",
    "Provider",
    "Remote",
    "RunBudget",
    "Sampling",
    "Settings",
    "Stage",
    "View",
    "as_setting",
    "chain",
    "check_names",
    "load_settings",
    "read_file",
]
