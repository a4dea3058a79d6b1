#!/usr/bin/env bash
# What a Prometheus needs for a fleet's series: it scrapes the recorded node's exposition, once for each of so many
# nodes, and evaluates the rules of alerts/.
#   bench/fleet/prometheus.sh [nodes] [seconds]
set -euo pipefail
nodes=${1:-200}
seconds=${2:-300}
cd "$(dirname "$0")/../.."
directory=$(mktemp -d)
pids=()
clean_up() {
  kill "${pids[@]}" 2> /dev/null || true
  wait
  rm -rf "$directory"
}
trap clean_up EXIT

mkdir "$directory/www"
# The claims' own names differ between nodes.
for ((i = 0; i < nodes; i++)); do
  sed "s/persistentvolumeclaim=\"/&n$i-/" tests/fixtures/recorded-node/metrics.golden.txt \
    > "$directory/www/$i"
done
python3 -m http.server --bind 127.0.0.1 --directory "$directory/www" 19099 > /dev/null 2>&1 &
pids+=($!)
{
  echo "global: {scrape_interval: 15s, evaluation_interval: 15s, external_labels: {cluster: bench}}"
  echo "rule_files: [$PWD/alerts/recording.yaml, $PWD/alerts/volumes.yaml, $PWD/alerts/agent.yaml]"
  echo "scrape_configs:"
  echo "  - {job_name: self, static_configs: [{targets: ['127.0.0.1:19098']}]}"
  for ((i = 0; i < nodes; i++)); do
    echo "  - {job_name: n$i, honor_labels: true, metrics_path: /$i, static_configs: [{targets: ['127.0.0.1:19099'], labels: {job: volumeter, node: n$i, instance: n$i}}]}"
  done
} > "$directory/prometheus.yaml"
prometheus --config.file="$directory/prometheus.yaml" --storage.tsdb.path="$directory/data" \
  --web.listen-address=127.0.0.1:19098 > "$directory/log" 2>&1 &
pids+=($!)
prometheus=$!

cpu() { awk '{print ($14 + $15) / 100}' "/proc/$prometheus/stat"; }
metric() { curl -s "127.0.0.1:19098/metrics" | awk -v name="$1" '$1 == name {printf "%.0f", $2}'; }
sleep 60  # each has been scraped, and the rules have what they need
begin=$(cpu)
sleep "$seconds"
used=$(awk -v a="$begin" -v b="$(cpu)" -v s="$seconds" 'BEGIN {printf "%.2f", (b - a) / s}')
series=$(metric prometheus_tsdb_head_series)
memory=$(metric process_resident_memory_bytes)
echo "| nodes | series | resident memory, MiB | bytes a series | cores |"
echo "| ---: | ---: | ---: | ---: | ---: |"
echo "| $nodes | $series | $((memory >> 20)) | $((memory / series)) | $used |"
