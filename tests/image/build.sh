#!/usr/bin/env bash
# Builds the image and the package as `make image` and `make deb` do, with buildah, on a Debian 12
# that debootstrap lays out with this machine's sources of packages.
#   tests/image/build.sh DIRECTORY   leaves image.json, sbom.json, rootfs/ and deb/ there
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."

cat > "$out/storage.conf" << CONF
[storage]
driver = "overlay"
graphroot = "$out/storage"
runroot = "$out/run"
CONF
export CONTAINERS_STORAGE_CONF=$out/storage.conf BUILDER=buildah
# No runtime to nest in, and the machine's own network.
export BUILDAH_ISOLATION=chroot
base=localhost/volumeter-test-base

clean_up() {
  buildah rm --all > /dev/null 2>&1 || true
  rm -rf "$out/base"
}
trap clean_up EXIT

if ! buildah inspect --type image "$base" > /dev/null 2>&1; then
  rm -rf "$out/base"
  debootstrap --variant=minbase bookworm "$out/base" > "$out/debootstrap.log" 2>&1 || {
    tail -n 20 "$out/debootstrap.log" >&2
    exit 1
  }
  cp -r /etc/apt/. "$out/base/etc/apt/"
  container=$(buildah from scratch)
  buildah add -q "$container" "$out/base" / > /dev/null
  buildah commit -q "$container" "$base" > /dev/null
fi

scripts/build-image.sh localhost/volumeter-test --build-arg BASE="$base" > "$out/build.log" 2>&1 || {
  tail -n 40 "$out/build.log" >&2
  exit 1
}
buildah inspect --type image localhost/volumeter-test > "$out/image.json"
scripts/build-image.sh localhost/volumeter-test-deb --build-arg BASE="$base" --target deb \
  >> "$out/build.log" 2>&1

# What is in them.
lay_out() {  # image directory
  local container
  rm -rf "$2"
  container=$(buildah from --pull-never "$1")
  cp -a "$(buildah mount "$container")" "$2"
}
lay_out localhost/volumeter-test "$out/rootfs"
lay_out localhost/volumeter-test-deb "$out/deb"
scripts/sbom.sh "$out/rootfs" 0.1.0 > "$out/sbom.json"
