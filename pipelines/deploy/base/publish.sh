#!/bin/sh
# Uploads the project's pipeline and runs it on a schedule. Done again it changes nothing but the
# schedule, which is made anew: a schedule keeps the code it was made with.
set -eu
options="--data-in-image --set serving.destination=$SERVING_DESTINATION"
# shellcheck disable=SC2086
headrace upload "$PIPELINE" "$PROJECT" $options
# The first time there is none. Whatever else went wrong, making a second one of that name fails.
headrace schedule delete "$PIPELINE" || true
# shellcheck disable=SC2086
headrace schedule create "$PROJECT" --name "$PIPELINE" --cron "$CRON" \
    --service-account pipeline-runner $options
