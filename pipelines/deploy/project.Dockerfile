# The image of the servers and of the job that publishes the pipeline: the serving image with the
# features of serving/images/Dockerfile, and on top a project with its compiled pipelines.
ARG IMAGE
FROM ${IMAGE}
# A new volume takes over the owner of the folder that it covers.
USER root
RUN install --directory --owner=65532 --group=65532 /var/lib/headrace
USER 65532:65532
ARG PROJECT=examples/flights
# feature_store.repo in its project.yaml is ../../feature_repo.
COPY ${PROJECT} /project/${PROJECT}
# With the images of the steps by digest.
COPY build/compiled /project/compiled
