# A project on top of Headrace: the image of the servers and of the job that uploads the pipeline.
# Built from the root of the repository; IMAGE is Headrace's serving image, by digest.
ARG IMAGE
FROM ${IMAGE}
ARG PROJECT=examples/flights
COPY ${PROJECT} /project/${PROJECT}
# Where project.yaml expects it: ../../feature_repo.
COPY feature_repo /project/feature_repo
# The compiled pipelines, with the images of their steps by digest.
COPY build/compiled /project/compiled
WORKDIR /project
