from daydream.planning.imports import import_store
from daydream.planning.restore import restore


rule import_store:
    log:
        "logs/import.log",
    localrule: True
    params:
        source=config["source"],
        cohort=config["cohort"],
    run:
        with job_log(log[0]):
            print(import_store(experiment, **params))


rule restore:
    input:
        rules.membership.input,
    log:
        "logs/restore.log",
    localrule: True
    params:
        gen_id=config["gen_id"],
        request=config["request"],
    run:
        with job_log(log[0]):
            print(restore(experiment, **params))
