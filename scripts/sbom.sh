#!/usr/bin/env bash
# What an image holds, as CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/): the Debian packages that
# its libraries are from, by the records that scripts/image-root.sh leaves.
#   scripts/sbom.sh DIRECTORY VERSION   of the image's files
set -euo pipefail
field() { sed -nE "s/^$2: //p" "$1" | head -n 1; }

for record in "$1"/var/lib/dpkg/status.d/*; do
  name=$(field "$record" Package)
  version=$(field "$record" Version)
  architecture=$(field "$record" Architecture)
  jq -n --arg name "$name" --arg version "$version" --arg architecture "$architecture" \
    --arg supplier "$(field "$record" Maintainer)" '{
      type: "library", name: $name, version: $version, supplier: {name: $supplier},
      purl: "pkg:deb/debian/\($name)@\($version | @uri)?arch=\($architecture)&distro=debian-12"}'
done | jq -s --arg version "$2" '{
  bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
  metadata: {component: {type: "container", name: "volumeter", version: $version,
    licenses: [{license: {id: "Apache-2.0"}}]}},
  components: .}'
