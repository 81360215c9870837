#!/bin/sh
# Makes what an image takes from its builder, as /out/*/opt/headrace. Runs in the root of the sources.
#
#   install.sh packages EXTRAS [FILE...]  /out/packages: what requirements/lock.txt says for these
#                                         extras, and FILEs of further packages with hashes
#   install.sh project                    /out/project: Headrace itself, and the SBOM
#
# The index and its certificates are build secrets, so that they end in no layer and no history.
set -eu

if [ -s /run/secrets/index ]; then
    PIP_INDEX_URL=$(cat /run/secrets/index)
    export PIP_INDEX_URL UV_DEFAULT_INDEX="$PIP_INDEX_URL"
fi
if [ -s /run/secrets/certificates ]; then
    export PIP_CERT=/run/secrets/certificates SSL_CERT_FILE=/run/secrets/certificates
fi

# The same input gives the same bytes: no times, no random order, bytecode that asks for no times.
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 PYC_INVALIDATION_MODE=UNCHECKED_HASH
export UV_LINK_MODE=copy UV_NO_PROGRESS=1 UV_PYTHON_DOWNLOADS=never
PATH=/opt/tools/bin:$PATH

install_packages() {
    extras=$(echo "$1" | tr ',' '\n' | sed 's/^/--extra=/')
    shift
    locks=--constraint=requirements/lock.txt
    for file in "$@"; do
        locks="$locks --constraint=$file"
    done

    # setup.py looks whether these are there; what is in them has no part in the dependencies.
    mkdir -p headrace components pipelines feature_store serving cli
    touch README.md

    python3 -m venv /opt/tools
    pip install --quiet --no-cache-dir --require-hashes --requirement requirements/bootstrap.txt
    uv pip install --quiet --python /opt/tools/bin/python \
        --constraint requirements/lock.txt setuptools
    uv pip install --quiet --python /opt/tools/bin/python \
        --constraint requirements/checks.txt cyclonedx-bom

    uv venv --quiet --python "$(readlink -f "$(command -v python3)")" /opt/headrace
    # shellcheck disable=SC2086
    uv pip compile --quiet --python /opt/tools/bin/python --no-build-isolation --no-annotate \
        $locks $extras setup.py "$@" --output-file /tmp/wanted.txt
    # shellcheck disable=SC2086
    uv pip sync --python /opt/headrace/bin/python --require-hashes --compile-bytecode $locks \
        --build-constraint requirements/lock.txt /tmp/wanted.txt
    # By hard links: nothing is there twice, and the environment works in the next stage.
    mkdir -p /out/packages/opt
    cp --archive --link /opt/headrace /out/packages/opt
    settle /out/packages
}

install_project() {
    folder=/out/project/opt/headrace
    uv build --quiet --wheel --offline --no-build-isolation --python /opt/tools/bin/python \
        --out-dir /tmp/wheel .
    uv pip install --quiet --offline --no-deps --no-index --find-links /tmp/wheel \
        --compile-bytecode --python /opt/headrace/bin/python --prefix $folder headrace
    mkdir -p $folder/share/headrace
    packages=$(echo $folder/lib/python3.*/site-packages)
    # uv's own note of when it saw the wheel.
    rm "$packages"/headrace-*.dist-info/uv_cache.json
    sed -i '/uv_cache.json/d' "$packages"/headrace-*.dist-info/RECORD
    # Without SOURCE_DATE_EPOCH the SBOM has no time instead of a wrong one.
    PYTHONPATH=$packages env -u SOURCE_DATE_EPOCH cyclonedx-py environment --output-reproducible \
        --output-file $folder/share/headrace/sbom.cdx.json /opt/headrace/bin/python
    settle /out/project
}

settle() {
    find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

action=$1
shift
"install_$action" "$@"
