# What rules ask for: which rows a run covers, and the files that each job is made from.
from contextlib import contextmanager
from functools import cache
from inspect import signature

from snakemake.common import overwrite_function_params

from daydream.errors import StoreError
from daydream.experiment import recipes
from daydream.files import holds, lacks_room
from daydream.planning.scope import Scope
from daydream.reports.withdrawal import Withdrawal
from daydream.store.layout import generation_file

withdrawal = Withdrawal(experiment, console.tell)


def scope():
    """Return what this run covers, as soon as each configured cohort has its membership.

    What is to be made again is said before: a file that is there would keep Snakemake from waiting.
    A dry run does not wait: it shows what is to come of the memberships that a run would write.
    """
    if key in expanded:
        return scopes[key]
    check_start()
    compare_no_inputs()
    if MODE != "job":
        make_again(own_scope().stale_files())
    for cohort in experiment.settings.cohorts:
        if MODE != "job":
            remake_membership(cohort)
        if MODE != "dry-run":
            wait_for_membership(cohort)
    if MODE == "dry-run":
        found = own_scope()
        dry_runs.give_reasons(found.reason, found.is_after_failure)
    expanded.add(key)
    return own_scope()


def wait_for_membership(cohort):
    """Wait for the checkpoint of a cohort."""
    membership = checkpoints.build_membership.get(cohort=cohort).output[0]
    if not Path(membership).exists():
        # As with --touch, which takes the checkpoint as done.
        raise WorkflowError(
            f"[membership] {membership}: the file is missing; write it with snakemake -c1 membership"
        )


def own_scope():
    """Return what this run covers, by the targets that it was given."""
    if key not in scopes:
        files = [Path(str(file)) for file in workflow.dag.targetfiles]
        texts = [file for file in files if file.is_relative_to("data/gens")]
        named = [file.parent.name for file in texts]
        answered = {file.parent.name for file in texts if file.name != "prompt.txt"}
        makes_texts = bool(named) or not target_rules().isdisjoint(stage_targets())
        looks = workflow.executor_plugin is None or workflow.touch
        scopes[key] = Scope(
            experiment,
            named=named,
            prompts={*named} - answered,
            makes_texts=makes_texts,
            asks_for_all=looks or is_forced(),
        )
        if scopes[key].only_looks or target_rules() == {name_here("top")}:
            experiment.choices.only_look()
    return scopes[key]


def generation(wildcards):
    """Return the generation of a job."""
    scope()
    return experiment.generation(wildcards.stage, wildcards.gen_id)


# Cohorts


def remake_membership(cohort):
    """Have a membership made again if its rows are not those of today, or it is not there."""
    path = f"data/cohorts/{cohort}/membership.csv"
    if not holds(path, experiment.membership_text(cohort)):
        make_again([path])


def cohort_inputs(wildcards):
    """Return the files a membership is made from; what it holds decides whether it is made again.

    So an edit that leaves the rows as they are, of a template's text or of a table's other columns,
    makes no membership again.
    """
    if MODE != "job":
        remake_membership(wildcards.cohort)
        check_start()
    return [ancient(file) for file in experiment.cohort_inputs(wildcards.cohort)]


def manifest_inputs(wildcards):
    """Return the files a manifest is made from; what it holds decides whether it is made again."""
    path = f"data/cohorts/{wildcards.cohort}/manifest.json"
    if MODE != "job" and Path(path).exists():
        if not holds(path, experiment.manifest_text(wildcards.cohort)):
            make_again([path])
    return [ancient(file) for file in experiment.cohort_inputs(wildcards.cohort)]


# Generations


@contextmanager
def job_of(wildcards, log):
    """Log a job that makes a text; the reports that the text belongs to are taken away first."""
    with job_log(log):
        row = generation(wildcards)
        try:
            withdrawal.before(row)
            yield row
        except StoreError as error:
            if lacks_room(error):
                experiment.stop.request(str(error.args[0]))
            raise


@cache
def choose_all():
    """Write down once, before the first call, which answers a refresh asks for again."""
    open_files = [] if MODE == "job" else [Path(file) for file in open_outputs()]
    experiment.choices.choose(
        file.parent.name for file in open_files if file.name == "raw.txt"
    )


def choose_answers(row):
    """Write down a refresh before a job of it asks."""
    if experiment.settings.refresh:
        choose_all()
        experiment.choices.choose([row.gen_id])


def of_generation(question):
    """Return an input function that asks for files of a job's generation, by what they are to it.

    The account of what is current decides what is made again (`daydream.experiment.provenance`),
    so the times of files do not.
    """

    def answer(wildcards):
        return {
            name: (settled(files) if isinstance(files, str) else [*map(settled, files)])
            for name, files in question(experiment, generation(wildcards)).items()
        }

    # Kept with the function: Snakemake would find them out again at each call, four times a job.
    overwrite_function_params(answer, signature(answer).parameters)
    return answer


def batch_mark(stage, event):
    """Return the file that says that the batches of a stage were submitted, or collected, in this run."""
    return MARK.format(stage=stage, event=event)


def rows_in_batches():
    """Return the generations that get their answers in batches in this run, by id.

    Single files are asked for directly.
    """
    if key not in in_batches:
        found = own_scope()
        rows, wanted = [], []
        if not (MODE == "job" or found.named or found.only_looks or only_looked()):
            rows, wanted = found.workload(requested_stages())
        needed = {*wanted}
        asked = batched(experiment, [row for row in rows if row.gen_id in needed])
        in_batches[key] = {row.gen_id: row for row in asked}
        for stage in {row.stage for row in asked}:
            make_again(batch_mark(stage, event) for event in ("submitted", "collected"))
    return in_batches[key]


def batch_rows(stage):
    """Return those of a stage."""
    return [row for row in rows_in_batches().values() if row.stage == stage]


def chosen_rows(stage):
    """Return the same of a stage, after a refresh of them has been written down."""
    rows = batch_rows(stage)
    if experiment.settings.refresh:
        choose_all()
        experiment.choices.choose([row.gen_id for row in rows])
    return rows


def prompts_of_batches(wildcards):
    """Return the prompts of a stage that are sent in batches."""
    return [
        settled(generation_file(row.stage, row.gen_id, "prompt.txt"))
        for row in batch_rows(wildcards.stage)
    ]


def answer_inputs(experiment, row):
    """Return the files that an answer is made from, and the mark of the batches that may have it."""
    inputs = recipes.raw_inputs(experiment, row)
    if MODE != "job" and row.gen_id in rows_in_batches():
        inputs["batches"] = batch_mark(row.stage, "collected")
    return inputs


def pool_resources():
    """Return a resource for each pool with `concurrent`: a job that asks it takes one.

    So a job that would wait for long is not started, and holds no thread. There is one for each
    call at once, and a quarter more: a job holds it before and after its call, too, and calls
    themselves wait for their turn (`daydream.llm.limits`).
    """
    limits = {
        f"pool_{pool}": settings.concurrent * 5 // 4
        for pool, settings in experiment.settings.pools.items()
        if settings.concurrent is not None
    }
    for name, limit in limits.items():
        workflow.register_resource(name, limit)

    def takes(name):
        def answer(wildcards):
            return int(
                name == f"pool_{recipes.pool_of(experiment, generation(wildcards))}"
            )

        overwrite_function_params(answer, signature(answer).parameters)
        return answer

    return {name: takes(name) for name in limits}


def last_texts(stage=None):
    """Return an input function for the files that stand for all generations of a stage, or of all."""

    def targets(wildcards):
        return scope().targets(stage)

    return targets


def made_texts(wildcards):
    """Return the files that stand for all that a run makes: texts, or marks of its shards."""
    found = scope()
    if MODE == "job" or found.only_looks:
        return []
    marks = found.marks() if found.is_divided else []
    make_again(marks)
    return marks if found.is_divided else found.targets()


# Reports


def cohorts_of(wildcards):
    """Return the cohort of a job, or else the configured ones; a job looks at no other's files."""
    if "cohort" in wildcards.keys():
        return [wildcards.cohort]
    return [] if MODE == "job" else experiment.settings.cohorts


def tables_of_criteria(wildcards):
    """Return the tables of what judges give numbers on besides the score, of cohorts with such."""
    return [
        f"data/cohorts/{cohort}/reports/criteria/{name}.csv"
        for cohort in cohorts_of(wildcards)
        if criteria(experiment, cohort)
        for name in CRITERIA
    ]


def tables_of_ratings(wildcards):
    """Return the tables of what people have said of texts, of cohorts that people have rated."""
    return [
        f"data/cohorts/{cohort}/reports/ratings/{name}.csv"
        for cohort in cohorts_of(wildcards)
        if ratings_of(experiment, cohort)
        for name in OF_RATINGS
    ]


def embedded(value):
    """Return an input of what is made of embeddings; none where there are none."""
    return {} if experiment.settings.embeddings is None else {"embeddings": value}


def reported_table(path, name, subcategory):
    """Return an output that `snakemake --report` shows, captioned by report/<name>.rst."""
    return report(
        path,
        caption=f"../report/{name}.rst",
        category="Tables",
        subcategory=subcategory,
        labels={"table": name.replace("_", " ")},
    )


def reported_figure(figure, form):
    """Return an output that `snakemake --report` shows; PNG is for slides and papers."""
    path = f"data/cohorts/{{cohort}}/reports/figures/{figure}.{form}"
    if form == "png":
        return path
    return report(
        path,
        caption=f"../report/figures/{figure}.rst",
        category="Figures",
        subcategory="{cohort}",
        labels={
            "figure": figure.replace("_", " "),
            "form": "interactive" if form == "html" else "for print",
        },
    )


def reported_page(name):
    """Return a page of a cohort that `snakemake --report` shows."""
    return report(
        f"data/cohorts/{{cohort}}/reports/{name}.html",
        caption=f"../report/pages/{name}.rst",
        category="Tables",
        subcategory="{cohort}",
        labels={"table": f"{name}, to read"},
    )


def membership_of(wildcards):
    """Return the membership of a job's cohort."""
    scope()
    return settled(f"data/cohorts/{wildcards.cohort}/membership.csv")


def needs(report):
    """Return an input function for the files that a cohort's report waits for."""

    def inputs(wildcards):
        found = scope()
        if MODE == "job":
            return []
        if report.shows_ratings:
            check_ratings(experiment, found, found.rows)
        if not found.is_current(report, wildcards.cohort):
            make_again([report.path(wildcards.cohort)])
        files = found.needs(report, wildcards.cohort)
        if found.is_divided:
            make_again(files)
        return [*map(settled, files)]

    return inputs


# Commands


def compared_memberships(wildcards):
    """Return the memberships of the two cohorts that `diff` compares."""
    from daydream.planning.diff import memberships_of

    return memberships_of(experiment.settings, (config["left"], config["right"]))
