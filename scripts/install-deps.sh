#!/bin/sh
# Installs what volumeter is built and tested with: Debian 12 packages, and for the tests of pages and
# dashboards the npm packages of package-lock.json.
# Without root it prints the one line to run.
#   scripts/install-deps.sh image   what the binary alone is built with
#   scripts/install-deps.sh build   what `make build` and `make run` need
#   scripts/install-deps.sh         all of it, for `make test`, `make lint` and `make bench` too
set -eu

binary="ca-certificates cmake ninja-build g++ pkg-config file dpkg-dev
  libmount-dev libcurl4-openssl-dev nlohmann-json3-dev libcli11-dev libspdlog-dev
  libmicrohttpd-dev prometheus-cpp-dev zlib1g-dev libbpf-dev bpftool clang libseccomp-dev libcap-dev liburing-dev
  libyaml-cpp-dev"
build="$binary git make libgtest-dev libbenchmark-dev libfuse3-dev e2fsprogs xfsprogs btrfs-progs"
tests="libclang-rt-14-dev clang-format clang-tidy prometheus prometheus-alertmanager prometheus-node-exporter
  buildah runc debootstrap curl fio ioping redis-server postgresql lvm2 cryptsetup-bin mdadm gdu python3-jsonschema jq openssl qemu-system-x86 busybox-static kmod cpio
  chromium"
# Whoever has Node.js and npm from elsewhere keeps them: Debian's npm would replace them.
command -v npm > /dev/null || tests="$tests nodejs npm"

case "${1:-all}" in
  image) wanted="$binary" ;;
  build) wanted="$build" ;;
  all) wanted="$build $tests" ;;
  *) echo "usage: $0 [image|build|all]" >&2; exit 2 ;;
esac

missing=
for package in $wanted; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
install_packages() {
  if [ "$(id -u)" != 0 ]; then
    echo "These packages are missing. Run once, as root:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
    exit 1
  fi
  echo "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  # The servers that come with these packages are for tests to start, not for the system.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing > /dev/null
}
[ -z "$missing" ] || install_packages

cd "$(dirname "$0")/.."
# shellcheck disable=SC3013  # every sh that a Debian may have knows -nt
if [ "${1:-all}" = all ] && ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --ignore-scripts --no-audit --no-fund --silent
fi
