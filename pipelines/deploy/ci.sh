#!/usr/bin/env bash
# The steps of a release, the same for GitHub and Jenkins. Run in the root of the repository.
#
#   ci.sh images        build and push Headrace's images, compile the pipelines with their digests
#   ci.sh project       build and push the project's image on top of them
#   ci.sh sign          sign all of them, keyless: with the identity of the running job
#   ci.sh verify ENV    check the signature of what an environment runs
#   ci.sh upload        the compiled pipelines as a new version on Kubeflow Pipelines
#   ci.sh dev           write the project's image into the overlays of dev
#   ci.sh promote ENV   give an environment what the one before it has
#   ci.sh propose NAME  commit changed overlays on a branch and open a pull request
#
# REPOSITORY is where images belong, such as registry.example/headrace; VERSION names the release.
# SIGNER and ISSUER say whose signature counts. `upload` needs the variables of `headrace upload`,
# `propose` a token in GH_TOKEN.
set -euo pipefail

readonly BUILT=build/images/images.json
readonly PROJECT_IMAGE=build/images/project.txt
readonly OVERLAYS=(serving/deploy/overlays pipelines/deploy/overlays)
readonly HEADRACE=.venv/bin/headrace

images() {
    # The flights' data come in a package, which the extra `examples` installs.
    .venv/bin/python scripts/images.py build --repository "${REPOSITORY,,}" --push --extra examples
    # Every step sees the volume that pushed models go to: see base/models-volume.yaml.
    $HEADRACE compile build/compiled --project examples/flights \
        --set 'platform.steps.all.volumes=[{claim: models, mount: /mnt/models}]' \
        --image "core=$(jq -r .core $BUILT)" --image "tfx=$(jq -r .tfx $BUILT)"
    $HEADRACE lint build/compiled
}

project() {
    local image="${REPOSITORY,,}/project:$VERSION"
    docker build --file serving/images/Dockerfile --tag headrace-features \
        --build-arg "SERVING_IMAGE=$(jq -r .serving $BUILT)" .
    docker build --file pipelines/deploy/project.Dockerfile --tag "$image" \
        --build-arg IMAGE=headrace-features .
    docker push "$image"
    docker inspect --format '{{index .RepoDigests 0}}' "$image" >$PROJECT_IMAGE
}

sign() {
    jq -r '.[]' $BUILT | cat - $PROJECT_IMAGE | xargs cosign sign --yes
}

verify() {
    cosign verify --certificate-identity-regexp "$SIGNER" --certificate-oidc-issuer "$ISSUER" \
        "$(image_of "$1")"
}

upload() {
    for file in build/compiled/*.yaml; do
        $HEADRACE upload "$(basename "$file" .yaml)" "$file" --version "$VERSION"
    done
}

dev() {
    local image digest
    IFS=@ read -r image digest <$PROJECT_IMAGE
    for folder in "${OVERLAYS[@]}"; do
        sed -i "/name: headrace\/project/,/digest:/{
            s|newName:.*|newName: $image|
            s|digest:.*|digest: $digest|
        }" "$folder/dev/images/kustomization.yaml"
    done
}

promote() {
    local from
    case "$1" in
        staging) from=dev ;;
        prod) from=staging ;;
        *) echo "promote: staging or prod, got '$1'." >&2; exit 2 ;;
    esac
    if image_of $from | grep -q 0000000000000000; then
        echo "promote: $from has no image yet; release one first." >&2
        exit 1
    fi
    for folder in "${OVERLAYS[@]}"; do
        cp "$folder/$from/images/kustomization.yaml" "$folder/$1/images/kustomization.yaml"
    done
    # Which versions of models are served was tried in staging, too.
    if [ "$1" = prod ]; then
        cp serving/deploy/overlays/{staging,prod}/models.config
    fi
}

propose() {
    if git diff --quiet -- "${OVERLAYS[@]}"; then
        echo "propose: nothing changed."
        return
    fi
    git switch --create "deploy/$1"
    git add "${OVERLAYS[@]}"
    git -c user.name=headrace-ci -c user.email=ci@headrace.invalid commit --message "Deploy $1"
    git push --set-upstream origin "deploy/$1"
    gh pr create --title "Deploy $1" --body "Merging deploys: Argo CD follows the main branch." \
        --head "deploy/$1"
}

# The image by digest that the overlay of an environment names.
image_of() {
    sed -n '/name: headrace\/project/,/digest:/{s/ *newName: //p;s/ *digest: /@/p}' \
        "serving/deploy/overlays/$1/images/kustomization.yaml" | tr -d '\n'
}

case "${1-}" in
    images | project | sign | verify | upload | dev | promote | propose) "$@" ;;
    *) sed -n '2,/^set/{/^set/!s/^# \?//p}' "$0" >&2; exit 2 ;;
esac
