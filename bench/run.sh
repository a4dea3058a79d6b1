#!/usr/bin/env bash
# `make bench`: every benchmark, one after the other, as Markdown. Takes about half an hour;
# BENCH_SECONDS=60 makes it quick and rough.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "# Benchmarks"
echo
echo "$(nproc) cores, Linux $(uname -r), $(date -u +%F), revision $(git rev-parse --short HEAD)"
for what in scrape footprint clients; do
  build/release/bench/bench_agent "$what"
done
for what in events churn requests; do
  build/release/bench/bench_inventory "$what"
done
build/release/bench/bench_walk
for what in latency claims; do
  build/release/bench/bench_io "$what"
done
for what in calls postgresql; do
  build/release/bench/bench_sync "$what"
done
for what in fio pulse workload; do
  build/release/bench/bench_probe "$what"
done
build/release/bench/bench_health
build/release/bench/bench_alerts
build/release/bench/bench_fleet
bench/fleet/prometheus.sh
tests/vm/run.sh 'build/release/bench/bench_walk quota'
