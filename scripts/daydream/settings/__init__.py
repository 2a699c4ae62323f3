"""The workflow's settings: one class for each section of config.yaml; each setting is defined once.

    sources     where each setting was given: config.yaml, --configfile files or --config
    fields      the kinds of values: lenient about text, strict about names
    stages, sampling, providers, budget, embeddings, views, targets       the sections
    sections    `Settings`: all of the sections, and the checks between them
    problems    invalid settings as error lines: place, what was found, remedy
    loading     `load_settings`, which the rules call, and `check_names`
    schema      generates config.schema.yaml and the tables of config/README.md from the classes

The package does not depend on Snakemake: everything in it can be tested on a plain mapping.
"""

from daydream.settings.batch import BatchApi, BatchLimits
from daydream.settings.budget import Budget, RunBudget
from daydream.settings.embeddings import Embeddings
from daydream.settings.loading import CONFIG, check_names, load_settings
from daydream.settings.providers import (
    Anthropic,
    Api,
    Command,
    Function,
    Gemini,
    Local,
    OpenAI,
    Pool,
    Provider,
    Remote,
)
from daydream.settings.sampling import Sampling, as_setting
from daydream.settings.sections import ModelSettings, Settings
from daydream.settings.sources import read_file
from daydream.settings.stages import Stage, chain
from daydream.settings.views import View

__all__ = [
    "CONFIG",
    "Anthropic",
    "Api",
    "BatchApi",
    "BatchLimits",
    "Budget",
    "Command",
    "Embeddings",
    "Function",
    "Gemini",
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
