"""Is the pushed Keras model as good as boosted trees on the same features and rows?"""

from __future__ import annotations

from pathlib import Path

from benchmarks.flagship import Bench
from benchmarks.lightgbm_reference import train_lightgbm
from benchmarks.measurement import Measurement, Target


def accuracy(bench: Bench) -> Measurement:
    """Test AUC of the pushed model, asked through its serving signature, against LightGBM's."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    from headrace.components.shared import examples
    from headrace.components.shared.predict import predict

    label = bench.project.label.column
    truth = bench.rows["test"][label].to_numpy()
    aucs, precisions = [], []
    for run in bench.cold:
        pushed = run.record.tasks["pusher"].outputs.artifacts["pushed_model"]
        source = run.artifact("example-gen", "examples")
        answer = predict(
            Path(str(pushed.metadata["external_path"])), examples.shards(source, "test")
        )
        aucs.append(float(roc_auc_score(truth, answer)))
        precisions.append(float(average_precision_score(truth, answer)))
    trees = train_lightgbm(
        bench.rows["train"], bench.rows["eval"], bench.rows["test"], label, bench.visible
    )
    return Measurement(
        name="test AUC of the pushed model",
        unit="",
        target=Target(1.0, better="higher"),
        ours=aucs,
        reference=[trees["test_auc"]],
        reference_name=f"LightGBM, {trees['trees']:.0f} trees, same features and rows",
        note=f"average precision {precisions[0]:.4f} against {trees['test_ap']:.4f}",
        details={"average_precision": precisions, "lightgbm": trees},
    )
