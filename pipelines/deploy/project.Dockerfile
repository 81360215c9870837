# The image of the servers and of the job that publishes the pipeline: the serving image with the
# features of serving/images/Dockerfile, and on top a project with its compiled pipelines.
ARG IMAGE
FROM ${IMAGE}
ARG PROJECT=examples/flights
# feature_store.repo in its project.yaml is ../../feature_repo.
COPY ${PROJECT} /project/${PROJECT}
# With the images of the steps by digest.
COPY build/compiled /project/compiled
