"""What is checked once before the first job, instead of failing each call: keys, files, servers.

A refresh that would refresh nothing is refused too, a budget that could not be kept, and settings
that the API of a model does not have.

Only providers that the run will ask count. A cohort whose answers are all in the journal needs no
key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from daydream.calls.bound import answer_limit
from daydream.calls.prices import most_of
from daydream.errors import CallError, InputError, Problems
from daydream.experiment import recipes
from daydream.experiment.experiment import Experiment
from daydream.generations.row import Generation
from daydream.llm.dialects import Lack, lacks
from daydream.llm.usage import Usage
from daydream.planning.embedding import check_embeddings
from daydream.planning.plan import forecasts
from daydream.planning.scope import Scope


def obstacles(
    experiment: Experiment,
    scope: Scope,
    stages: Iterable[str],
    *,
    embeds: bool = False,
    rated: bool = False,
) -> list[str]:
    """Return what would keep a run of these stages from its first job: the errors' lines.

    `embeds`: the run makes the tables that need embeddings; `rated`: what shows ratings.
    """
    wanted, found = list(stages), []
    checks: list[Callable[[Experiment, Scope, Iterable[str]], None]] = [
        *([check_ratings] if rated else []),
        *(check_refresh, check_budget, check_calls, check_providers),
        *([check_all_embeddings] if embeds else []),
    ]
    for check in checks:
        try:
            check(experiment, scope, wanted)
        except InputError as error:
            found += str(error).splitlines()
    return found


def check_ratings(experiment: Experiment, _scope: Scope, _: Iterable[str] = ()) -> None:
    """Refuse a run that could not show what people have said of its texts.

    Raises:
        InputError: everything that is wrong with the files of ratings.
    """
    _ratings = experiment.ratings


def check_all_embeddings(experiment: Experiment, scope: Scope, _: Iterable[str] = ()) -> None:
    """Refuse a run that could not get the embeddings of its texts (`check_embeddings`)."""
    check_embeddings(experiment, scope.rows, scope.accounts)


def check_refresh(experiment: Experiment, scope: Scope, stages: Iterable[str]) -> None:
    """Refuse a run with `refresh` that would ask for no new answer.

    `stages` are those whose generations the run may make.

    Raises:
        InputError: the slice matches no generation of these stages, but at most their children.
    """
    wanted = list(stages)
    if not experiment.settings.refresh:
        return
    if not experiment.choices.refreshes(n for n, row in scope.rows.items() if row.stage in wanted):
        problems = Problems("config")
        problems.add(
            "refresh=true",
            f"where and exclude match no generation of {', '.join(wanted)} that a model answers",
            "a generation that is only the parent of a match keeps its answer: leave conditions on "
            "later stages out of where, or name another target",
        )
        problems.check()


def check_providers(experiment: Experiment, scope: Scope, stages: Iterable[str]) -> None:
    """Refuse a run that would ask a provider which cannot answer.

    `stages` are those whose generations the run may make.

    Raises:
        InputError: one line per provider, with the number of generations that wait for it.
    """
    wanted = set(stages)
    waiting: dict[str, list[str]] = {}
    for name, row in scope.waiting.items():
        answered = scope.accounts[name].raw.kind == "current"
        if row.stage in wanted and not answered and not recipes.is_copy(experiment, row):
            model = experiment.catalog.models[row.llm_model_id]
            waiting.setdefault(experiment.settings.provider_of(model.provider), []).append(name)
    faults = {name: fault for name in waiting if (fault := _fault(experiment, name))}
    if not faults:
        return
    # Worth its time now: an answer that is in the journal needs no provider.
    expected = forecasts(experiment, scope.accounts, scope.rows.values())
    problems = Problems("call")
    for name, fault in faults.items():
        asked = [row for row in waiting[name] if expected[row].state in ("call", "waiting")]
        if asked:
            found, _, remedy = fault.rpartition("; ")
            count = f"{len(asked):,} generation{'s' if len(asked) > 1 else ''}"
            problems.add(f"{count} to be answered", found, remedy)
    problems.check()


def check_budget(experiment: Experiment, scope: Scope, stages: Iterable[str]) -> None:
    """Refuse a run whose budget could not be kept: the most that a call can take must be known.

    Raises:
        InputError: a line for each model without a price, where the budget is in USD, and for each
            stage and model whose answers nothing bounds, where it is in USD or tokens.
    """
    budgets = experiment.settings.budget, experiment.settings.cohort_budget
    in_usd = any(budget.usd is not None for budget in budgets)
    if not in_usd and all(budget.tokens is None for budget in budgets):
        return
    wanted = set(stages)
    problems = Problems("budget")
    for row in _kinds(experiment, scope):
        if row.stage not in wanted:
            continue
        who = f"stage {row.stage}, model {row.llm_model_id}"
        if answer_limit(recipes.body_settings(experiment, row)) is None:
            found = "nothing bounds an answer, so that no budget in USD or tokens can be kept"
            remedy = f"set max_tokens in stages.{row.stage}.sampling"
            problems.add(who, found, f"{remedy}, and whole numbers for fields that raise it")
        model = experiment.catalog.models[row.llm_model_id]
        if in_usd and most_of(Usage(1, 1), model, experiment.settings) is None:
            found = "the model has no price, so that no budget in USD can be kept"
            remedy = "add usd_per_mtok_in and usd_per_mtok_out to llm_models.csv"
            problems.add(who, found, remedy)
    problems.check()


def check_calls(experiment: Experiment, scope: Scope, stages: Iterable[str]) -> None:
    """Refuse a run with settings that the API of a model does not have.

    Raises:
        InputError: a line for each setting of each stage and model.
    """
    wanted = set(stages)
    problems = Problems("call")
    found: set[tuple[str, Lack]] = set()
    seen = set()
    for name, row in scope.waiting.items():
        kind = row.stage, row.template_id, row.llm_model_id, row.dimensions
        if kind in seen or row.stage not in wanted or recipes.is_copy(experiment, row):
            continue
        if scope.accounts[name].raw.kind == "current":
            continue
        seen.add(kind)
        question = recipes.question_of(experiment, row, "")
        who = f"stage {row.stage}, model {row.llm_model_id}"
        for lack in lacks(question, recipes.provider_of(experiment, row)):
            if (who, lack) not in found:
                found.add((who, lack))
                problems.add(who, lack.found, lack.remedy, column=lack.setting)
    problems.check()


def _kinds(experiment: Experiment, scope: Scope) -> Iterator[Generation]:
    """Yield a generation of each kind of paid call: of its stage, model and settings."""
    seen = set()
    for row in scope.waiting.values():
        kind = row.stage, row.llm_model_id, row.dimensions
        if kind not in seen and not recipes.is_copy(experiment, row):
            seen.add(kind)
            model = experiment.catalog.models[row.llm_model_id]
            provider = experiment.settings.provider_of(model.provider)
            if experiment.settings.providers[provider].type != "local":
                yield row


def _fault(experiment: Experiment, provider: str) -> str:
    """Return why a provider cannot answer, as far as that can be known without a call."""
    try:
        experiment.calls.providers[provider].check()
    except CallError as error:
        return str(error.args[0])
    return ""
