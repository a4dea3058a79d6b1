#!/usr/bin/env bash
# `make test-vm`: the same test binaries on Debian's stock kernel, which has what the machine's own
# may lack (an NFS server and client, quotas, device mapper). Emulated: slow, so fewer rounds.
#   scripts/test-vm.sh [--gtest_filter=...]
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset dev > /dev/null
cmake --build --preset dev --target unit_tests system_tests probe_tests health_tests > /dev/null
tests=build/dev/tests
tests/vm/run.sh "export VOLUMETER_TEST_HANG_ROUNDS=3
$tests/unit_tests --gtest_brief=1 $*
unit=\$?
$tests/system_tests --gtest_brief=1 $*
system=\$?
$tests/probe_tests --gtest_brief=1 $*
probe=\$?
$tests/health_tests --gtest_brief=1 $*
health=\$?
exit \$((unit | system | probe | health))"
