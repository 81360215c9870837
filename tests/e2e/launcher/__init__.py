"""A stand-in for KFP 2's driver and launcher: a compiled pipeline as a cluster would run it.

| module | stands for |
| --- | --- |
| ``driver`` | the driver: resolves each task's inputs, decides about conditions and exit handlers |
| ``executor`` | the launcher: downloads, runs the container's command, reads the outputs, uploads |
| ``artifacts`` | the metadata store: what is left of an artifact's metadata for the next step |
| ``object_store`` | the bucket, and the local folder that each URI scheme is mapped to |
| ``container`` | the container: a file system of its own in which ``/minio`` and the like exist |

``habits`` is a pipeline whose steps fail there as they would on a cluster.

Written after backend/src/v2/{driver,component,objectstore,metadata} of kubeflow/pipelines. Left
out, since the project's pipelines do not use them: retries, the cache, loops and outputs of DAGs.
"""
