#!/usr/bin/env bash
# `make test`: every test on the plain build, again as if on Linux 5.10, under AddressSanitizer with
# UBSan and under ThreadSanitizer; those that depend on the kernel on Debian's stock one, too, in a
# virtual machine; then each parser's fuzz target for a few seconds.
#   PRESETS="dev" scripts/test.sh    only these
set -euo pipefail
cd "$(dirname "$0")/.."

# Without a terminal only what matters; with one, ninja and ctest show how far they are.
build() {  # preset targets...
  local preset=$1
  shift
  echo "== build: $preset"
  cmake --preset "$preset" > /dev/null
  if [ -t 1 ]; then
    cmake --build --preset "$preset" "$@"
  else
    cmake --build --preset "$preset" "$@" | grep -vE '^\[[0-9]+/' || true
    cmake --build --preset "$preset" "$@" > /dev/null
  fi
}

fuzz() {
  build fuzz --target fuzz_mountinfo fuzz_kube fuzz_vol_data fuzz_names fuzz_walks fuzz_tree fuzz_stats fuzz_values
  local seconds=${FUZZ_SECONDS:-5} target corpus
  for target in mountinfo kube vol_data names walks tree stats values; do
    echo "== fuzz: $target, $seconds s"
    corpus=$(mktemp -d)
    if ! "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=65536 \
        -artifact_prefix="build/fuzz/$target-" -print_final_stats=1 \
        "$corpus" "tests/fuzz/corpus/$target" > "build/fuzz/$target.log" 2>&1; then
      cat "build/fuzz/$target.log"
      rm -rf "$corpus"
      echo "fuzz target $target failed; its input is in build/fuzz/" >&2
      exit 1
    fi
    grep number_of_executed_units "build/fuzz/$target.log"
    rm -rf "$corpus"
  done
}

failed=0
for preset in ${PRESETS:-dev vm asan-ubsan tsan fuzz}; do
  if [ "$preset" = fuzz ]; then
    fuzz
    continue
  fi
  if [ "$preset" = vm ]; then
    echo "== test: vm"
    # What depends on the kernel; `make test-vm` runs the rest, too.
    scripts/test-vm.sh \
      --gtest_filter='Nfs*:*Quota*:Stack*:LatencyTest*:SyncTest.C*:SyncTest.L*:SlowDiskTest.Of*:*Deleted*:WorkersTest*:*Btrfs*:Kinds*' || failed=1
    continue
  fi
  # Benchmarks and the demonstration needn't be built under each sanitizer.
  if [ "$preset" = dev ]; then build dev; else build "$preset" --target unit_tests system_tests probe_tests; fi
  echo "== test: $preset"
  # They mostly wait, for deadlines and for processes.
  ctest --test-dir "build/$preset" -j 3 --output-on-failure || failed=1
done
exit $failed
