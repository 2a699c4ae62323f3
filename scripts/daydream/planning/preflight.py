"""What is checked once before the first job, instead of failing each call: keys, files, servers.

A refresh that would refresh nothing is refused too, a budget that could not be kept, and settings
that the API of a model does not have.

Each check is given the generations that the run covers: those of its targets, and their ancestors,
which it makes first. Only providers that it will ask count. A cohort whose answers are all in the
journal needs no key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence

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
from daydream.text import plural

Check = Callable[[Experiment, Scope, Mapping[str, Generation]], None]


def checks(*, embeds: bool, rated: bool) -> list[Check]:
    """Return the checks of a run, in the order in which they are made.

    `embeds`: it makes the tables that need embeddings; `rated`: it makes what shows ratings.
    """
    return [
        *([check_ratings] if rated else []),
        *(check_refresh, check_budget, check_calls, check_providers),
        *([check_all_embeddings] if embeds else []),
    ]


def obstacles(
    experiment: Experiment,
    scope: Scope,
    rows: Mapping[str, Generation],
    *,
    embeds: bool = False,
    rated: bool = False,
) -> list[str]:
    """Return what would keep a run of these generations from its first job: the errors' lines."""
    found = []
    for check in checks(embeds=embeds, rated=rated):
        try:
            check(experiment, scope, rows)
        except InputError as error:
            found += str(error).splitlines()
    return found


def check_ratings(experiment: Experiment, _: Scope, _rows: Mapping[str, Generation]) -> None:
    """Refuse a run that could not show what people have said of its texts.

    Raises:
        InputError: everything that is wrong with the files of ratings.
    """
    _ratings = experiment.ratings


def check_all_embeddings(experiment: Experiment, scope: Scope, _: Mapping[str, Generation]) -> None:
    """Refuse a run that could not get the embeddings of its texts (`check_embeddings`)."""
    check_embeddings(experiment, scope.rows, scope.accounts)


def check_refresh(experiment: Experiment, _: Scope, rows: Mapping[str, Generation]) -> None:
    """Refuse a run with `refresh` that would ask for no new answer.

    Raises:
        InputError: the slice matches none of these generations, but at most their children.
    """
    if experiment.settings.refresh and not experiment.choices.refreshes(rows):
        stages = ", ".join(dict.fromkeys(row.stage for row in rows.values()))
        problems = Problems("config")
        problems.add(
            "refresh=true",
            f"where and exclude match no generation of {stages} that a model answers",
            "a generation that is only the parent of a match keeps its answer: leave conditions on "
            "later stages out of where, or name another target",
        )
        problems.check()


def check_providers(experiment: Experiment, scope: Scope, rows: Mapping[str, Generation]) -> None:
    """Refuse a run that would ask a provider which cannot answer.

    Raises:
        InputError: one line per provider, with the number of generations that wait for it.
    """
    _refuse(_of_providers, experiment, scope, rows)


def check_budget(experiment: Experiment, scope: Scope, rows: Mapping[str, Generation]) -> None:
    """Refuse a run whose budget could not be kept: the most that a call can take must be known.

    Raises:
        InputError: a line for each model without a price, where the budget is in USD, and for each
            stage and model whose answers nothing bounds, where it is in USD or tokens.
    """
    _refuse(_of_budgets, experiment, scope, rows)


def check_calls(experiment: Experiment, scope: Scope, rows: Mapping[str, Generation]) -> None:
    """Refuse a run with settings that the API of a model does not have.

    Raises:
        InputError: a line for each setting of each stage and model.
    """
    _refuse(_of_calls, experiment, scope, rows)


def _refuse(
    find: Callable[[Experiment, Sequence[Generation]], Problems],
    experiment: Experiment,
    scope: Scope,
    rows: Mapping[str, Generation],
) -> None:
    """Refuse a run for what `find` finds in the generations that it would ask a model for.

    Raises:
        InputError: what was found.
    """
    unanswered = [
        row
        for name, row in rows.items()
        if scope.accounts[name].raw.kind != "current" and not recipes.is_copy(experiment, row)
    ]
    if find(experiment, unanswered).found:
        # Worth its time now: an answer that is in the journal needs neither a key nor a price.
        expected = forecasts(experiment, scope.accounts, rows.values())
        find(experiment, [row for row in unanswered if expected[row.gen_id].asks]).check()


def _of_providers(experiment: Experiment, rows: Sequence[Generation]) -> Problems:
    problems = Problems("call")
    models = experiment.catalog.models
    waiting = Counter(
        experiment.settings.provider_of(models[row.llm_model_id].provider) for row in rows
    )
    for name, count in waiting.items():
        if fault := _fault(experiment, name):
            found, _, remedy = fault.rpartition("; ")
            problems.add(f"{plural(count, 'generation')} to be answered", found, remedy)
    return problems


def _of_budgets(experiment: Experiment, rows: Sequence[Generation]) -> Problems:
    problems = Problems("budget")
    budgets = experiment.settings.budget, experiment.settings.cohort_budget
    in_usd = any(budget.usd is not None for budget in budgets)
    if not in_usd and all(budget.tokens is None for budget in budgets):
        return problems
    for row in _kinds(rows, lambda row: (row.stage, row.llm_model_id, row.dimensions)):
        if recipes.provider_of(experiment, row).type == "local":
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
    return problems


def _of_calls(experiment: Experiment, rows: Sequence[Generation]) -> Problems:
    problems = Problems("call")
    found: set[tuple[str, Lack]] = set()
    for row in _kinds(
        rows, lambda row: (row.stage, row.template_id, row.llm_model_id, row.dimensions)
    ):
        question = recipes.question_of(experiment, row, "")
        who = f"stage {row.stage}, model {row.llm_model_id}"
        for lack in lacks(question, recipes.provider_of(experiment, row)):
            if (who, lack) not in found:
                found.add((who, lack))
                problems.add(who, lack.found, lack.remedy, column=lack.setting)
    return problems


def _kinds(rows: Sequence[Generation], kind: Callable[[Generation], Hashable]) -> list[Generation]:
    """Return the first generation of each kind."""
    found: dict[Hashable, Generation] = {}
    for row in rows:
        found.setdefault(kind(row), row)
    return list(found.values())


def _fault(experiment: Experiment, provider: str) -> str:
    """Return why a provider cannot answer, as far as that can be known without a call."""
    try:
        experiment.calls.providers[provider].check()
    except CallError as error:
        return str(error.args[0])
    return ""
