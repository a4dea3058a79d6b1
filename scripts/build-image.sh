#!/usr/bin/env bash
# Builds the image of this checkout with buildah, podman or docker, whichever is there.
#   scripts/build-image.sh [NAME:TAG] [more arguments of the builder, such as --build-arg BASE=...]
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -nE 's/^project\(volumeter VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
name=${1:-volumeter:$version}
shift $(($# > 0 ? 1 : 0))

for builder in ${BUILDER:-docker podman buildah}; do
  # A client without its engine is none.
  "$builder" info > /dev/null 2>&1 && break
  builder=
done
if [ -z "${builder:-}" ]; then
  echo "no image builder answers: install docker, podman or buildah" >&2
  exit 1
fi
epoch=$(git log -1 --format=%ct 2> /dev/null || echo 0)
arguments=(--build-arg "VERSION=$version" --build-arg "SOURCE_DATE_EPOCH=$epoch"
  --build-arg "REVISION=$(git rev-parse --short=12 HEAD 2> /dev/null || echo unknown)")
# The same files give the same image: docker's builder reads SOURCE_DATE_EPOCH by itself.
export SOURCE_DATE_EPOCH=$epoch
case $builder in buildah | podman) arguments+=(--timestamp "$epoch" --layers) ;; esac
exec "$builder" build "${arguments[@]}" --tag "$name" "$@" .
