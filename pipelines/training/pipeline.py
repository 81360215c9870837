"""The training pipeline: sources in, a blessed and pushed model out, for any project.

Every parameter is a section of ``project.yaml`` or the source text of a project file, so a step's
cache key holds exactly what the step depends on: touching ``model.py`` trains again, and nothing
before it runs.

What a step asks of its machine is no part of the graph: ``pipelines/platform.py`` adds it when the
pipeline is compiled.
"""

from kfp import dsl

from headrace.components.data.example_gen.component import example_gen
from headrace.components.data.ingest.component import ingest
from headrace.components.deployment.edge_export.component import edge_export
from headrace.components.deployment.infra_validator.component import infra_validator
from headrace.components.deployment.pusher.component import pusher
from headrace.components.deployment.resolver.component import resolver
from headrace.components.evaluation.challenger.component import challenger
from headrace.components.evaluation.evaluator.component import evaluator
from headrace.components.evaluation.model_gate.component import model_gate
from headrace.components.features.feature_builder.component import feature_builder
from headrace.components.features.historical_features.component import historical_features
from headrace.components.monitoring.run_status.component import run_status
from headrace.components.training.trainer.component import trainer
from headrace.components.training.transform.component import transform
from headrace.components.training.tuner.component import tuner
from headrace.components.validation.data_gate.component import data_gate
from headrace.components.validation.example_validator.component import example_validator
from headrace.components.validation.leakage_check.component import leakage_check
from headrace.components.validation.schema_gen.component import schema_gen
from headrace.components.validation.statistics_gen.component import statistics_gen


def _resolve(candidate, kind: str, destination, model) -> dsl.PipelineTask:
    task = resolver(candidate=candidate, kind=kind, destination=destination, model=model)
    return task.set_caching_options(False)


@dsl.pipeline(name="training", description="Sources to a blessed, pushed model.")
def training_pipeline(
    project: str,
    sources: dict,
    data_version: str,
    label: dict,
    feature_store: dict,
    features: dict,
    split: dict,
    curated_schema: str,
    validation: dict,
    leakage: dict,
    tuning: dict,
    training: dict,
    evaluation: dict,
    promotion: dict,
    serving_destination: str,
    serving: dict,
    edge: dict,
    features_code: dict,
    repo_code: dict,
    preprocessing_code: dict,
    search_code: dict,
    model_code: dict,
    beam_args: list = [],  # noqa: B006  KFP reads the default, nothing mutates it
):
    """Trains, gates and pushes.

    Args:
        project: Name of the project and of the served model.
        sources: Source name to its definition.
        data_version: Any text that changes when the sources change.
        label: Column and task.
        feature_store: Feature service that the model is trained on.
        features: What the model may see, and when it is known.
        split: How rows go to train, eval and test.
        curated_schema: Text-format schema; empty to infer one.
        validation: Drift, skew and missing-value limits.
        leakage: When a feature is too good to be true.
        tuning: Hyperparameter search.
        training: How the model is fitted.
        evaluation: Slices and thresholds.
        promotion: When a challenger replaces the champion.
        serving_destination: Folder or URI of pushed models.
        serving: The section `serving` of project.yaml.
        edge: Which forms of the model go to devices; empty for none.
        features_code: Files for `feature_builder`: features.py, or nothing.
        repo_code: Files of the Feast repository, or nothing.
        preprocessing_code: Files for `transform`: preprocessing.py.
        search_code: Files for `tuner`: model.py, or nothing when no search is asked for.
        model_code: Files for `trainer`: model.py.
        beam_args: Beam options of `transform`; empty for the step's own process.
    """
    last = run_status(project=project).set_caching_options(False)
    with dsl.ExitHandler(last, name="train"):
        ingested = ingest(sources=sources, data_version=data_version)
        built = feature_builder(
            tables=ingested.outputs["tables"], code=features_code, repo_code=repo_code
        )
        joined = historical_features(
            built=built.outputs["built"],
            repo_code=repo_code,
            feature_store=feature_store,
            label=label,
            features=features,
        )
        table = joined.outputs["table"]
        leaks = leakage_check(table=table, label=label, features=features, rules=leakage)
        split_up = example_gen(table=table, label=label, features=features, split=split)
        examples = split_up.outputs["examples"]
        statistics = statistics_gen(examples=examples).outputs["statistics"]
        schema = schema_gen(statistics=statistics, curated=curated_schema).outputs["schema"]
        baseline = _resolve(statistics, "statistics", serving_destination, project)
        validated = example_validator(
            statistics=statistics,
            schema=schema,
            baseline=baseline.outputs["resolved"],
            rules=validation,
        )
        gate = data_gate(
            validation_blessed=validated.outputs["blessed"],
            validation_verdict=validated.outputs["verdict"],
            leakage_blessed=leaks.outputs["blessed"],
            leakage_verdict=leaks.outputs["verdict"],
        )
        transformed = transform(
            examples=examples,
            schema=schema,
            code=preprocessing_code,
            features=features,
            beam_args=beam_args,
        )
        learning = {
            "transformed_examples": transformed.outputs["transformed_examples"],
            "transform_graph": transformed.outputs["transform_graph"],
            "label": label,
            "training": training,
        }
        tuned = tuner(tuning=tuning, code=search_code, **learning).after(gate)
        model = trainer(
            hyperparameters=tuned.outputs["hyperparameters"], code=model_code, **learning
        ).outputs["model"]
        champion = _resolve(model, "model", serving_destination, project)
        evaluated = evaluator(
            examples=examples,
            model=model,
            champion=champion.outputs["resolved"],
            label=label,
            evaluation=evaluation,
        )
        compared = challenger(
            predictions=evaluated.outputs["predictions"],
            champion_version=champion.outputs["Output"],
            label=label,
            promotion=promotion,
        )
        loaded = infra_validator(model=model, examples=examples, name=project, serving=serving)
        exported = edge_export(
            model=model,
            examples=examples,
            name=project,
            asked=joined.outputs["asked"],
            label=label,
            evaluation=evaluation,
            edge=edge,
        )
        accepted = model_gate(
            evaluation_blessed=evaluated.outputs["blessed"],
            evaluation_verdict=evaluated.outputs["verdict"],
            challenger_blessed=compared.outputs["blessed"],
            challenger_verdict=compared.outputs["verdict"],
            infra_blessed=loaded.outputs["blessed"],
            infra_verdict=loaded.outputs["verdict"],
            edge_blessed=exported.outputs["blessed"],
            edge_verdict=exported.outputs["verdict"],
        )
        with dsl.If(accepted.outputs["Output"] == True, name="blessed"):  # noqa: E712
            pusher(
                model=model,
                schema=schema,
                statistics=statistics,
                warmup=loaded.outputs["warmup"],
                bundle=exported.outputs["bundle"],
                name=project,
                data_version=data_version,
                asked=joined.outputs["asked"],
                destination=serving_destination,
                serving=serving,
            )
