#!/usr/bin/env bash
# `make lint`: the format, clang-tidy with warnings as errors, and rules that no tool knows.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files '*.cc' '*.h')
echo "== clang-format"
clang-format --dry-run -Werror "${sources[@]}"

echo "== rules of the tree"
if git grep -nE '#include "\.\./' -- '*.cc' '*.h'; then
  echo "an include by \"../\" walks around the layers" >&2
  exit 1
fi
if git grep -nE '\b(TODO|FIXME|XXX)\b' -- agent include tests bench; then
  echo "finish it, or write an issue" >&2
  exit 1
fi

echo "== clang-tidy"
cmake --preset dev > /dev/null
cmake --build --preset dev --target volumeter_vocabulary volumeter_measure_latency \
  volumeter_measure_usage > /dev/null  # generated sources
mapfile -t units < <(git ls-files 'agent/*.cc' | grep -v _test.cc)
printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet \
  --warnings-as-errors='*'
