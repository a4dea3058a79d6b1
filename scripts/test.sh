#!/usr/bin/env bash
# `make test`: every test on the plain build, again as if on Linux 5.10, under AddressSanitizer with
# UBSan and under ThreadSanitizer; those that depend on the kernel on Debian's stock one, too, in a
# virtual machine; then each parser's fuzz target for a few seconds; and the image, built and run.
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
  build_fuzz
  local seconds=${FUZZ_SECONDS:-5} target corpus
  for target in mountinfo kube vol_data names walks tree stats values kmsg web_config; do
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

# Benchmarks and the demonstration needn't be built under each sanitizer.
build_sanitized() { build "$1" --target unit_tests system_tests probe_tests health_tests; }
build_fuzz() {
  build fuzz --target fuzz_mountinfo fuzz_kube fuzz_vol_data fuzz_names fuzz_walks fuzz_tree fuzz_stats fuzz_values fuzz_kmsg fuzz_web_config
}

build_image() { tests/image/build.sh build/image; }

# The plain build's tests mostly wait, so what the others need is built beside them, when nothing
# else wants the processor. Should it fail, the stage says so when it builds again.
ahead=
build_ahead() {
  rm -f build/*.built
  set -m  # a process group of its own, to end all of it
  (
    chrt --idle --pid 0 $BASHPID > /dev/null
    for preset in "$@"; do
      case $preset in
        asan-ubsan | tsan) build_sanitized "$preset" ;;
        fuzz) build_fuzz ;;
        image) build_image ;;
        *) continue ;;
      esac
      touch "build/$preset.built"
    done
  ) > /dev/null 2>&1 &
  ahead=$!
  set +m
}
# From a fault until everybody has been told that it is over: ten minutes, all but idle. It runs beside
# the plain build's other tests and the virtual machine's.
patient=
start_patient() {
  set -m
  GTEST_BRIEF=1 timeout 1200 build/dev/tests/alerts_tests --gtest_filter='EscalationTest*' \
    > build/alerts.log 2>&1 &
  patient=$!
  set +m
}
finish_patient() {
  if [ -z "$patient" ]; then return; fi
  echo "== test: alerts"
  wait "$patient" || failed=1
  patient=
  cat build/alerts.log
}
# A build directory has one ninja at a time.
await_build() {  # preset
  while [ -n "$ahead" ] && [ ! -e "build/$1.built" ] && kill -0 "$ahead" 2> /dev/null; do sleep 1; done
}
end_beside() {
  local group
  for group in $ahead $patient; do kill -- "-$group" 2> /dev/null || true; done
}
trap end_beside EXIT

failed=0
presets=${PRESETS:-dev vm asan-ubsan tsan fuzz image}
for preset in $presets; do
  if [ "$preset" != dev ] && [ "$preset" != vm ]; then
    finish_patient
    await_build "$preset"
  fi
  if [ "$preset" = fuzz ]; then
    fuzz
    continue
  fi
  if [ "$preset" = image ]; then
    # What is built in the background, or has failed there.
    [ -e build/image.built ] || build_image
    echo "== test: image"
    GTEST_BRIEF=1 build/dev/tests/image_tests || failed=1
    continue
  fi
  if [ "$preset" = vm ]; then
    echo "== test: vm"
    # What depends on the kernel; `make test-vm` runs the rest, too.
    scripts/test-vm.sh \
      --gtest_filter='Nfs*:*Quota*:Stack*:LatencyTest*:SyncTest.C*:SyncTest.L*:SlowDiskTest.Of*:*Deleted*:WorkersTest*:*Btrfs*:Kinds*:HealthTest.AnExt4*' || failed=1
    continue
  fi
  if [ "$preset" = dev ]; then
    build dev
    # shellcheck disable=SC2086
    build_ahead $presets
    start_patient
  else
    build_sanitized "$preset"
  fi
  echo "== test: $preset"
  # They mostly wait, for deadlines and for processes.
  ctest --test-dir "build/$preset" -j 4 -E '^alerts$' --output-on-failure || failed=1
done
finish_patient
exit $failed
