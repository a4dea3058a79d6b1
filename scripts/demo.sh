#!/usr/bin/env bash
# `make demo`: the demonstration node with its workload and the agent, a Prometheus that scrapes it
# with the rules of alerts/, and an Alertmanager with their routes whose receivers tell nobody.
# Ctrl-C ends all of it and leaves nothing.
#   VOLUMETER_DEMO_LISTEN, VOLUMETER_DEMO_PROMETHEUS, VOLUMETER_DEMO_ALERTMANAGER   HOST:PORT of each
set -euo pipefail
cd "$(dirname "$0")/.."
demo_node=${VOLUMETER_BUILD:-build/release}/tests/demo-node
agent=${VOLUMETER_DEMO_LISTEN:-127.0.0.1:10098}
prometheus=${VOLUMETER_DEMO_PROMETHEUS:-127.0.0.1:9090}
alertmanager=${VOLUMETER_DEMO_ALERTMANAGER:-127.0.0.1:9093}

directory=$(mktemp -d "${TMPDIR:-/tmp}/volumeter-demo-XXXXXX")
started=()
finish() {
  trap - EXIT INT TERM HUP
  [ ${#started[@]} = 0 ] || kill "${started[@]}" 2> /dev/null || true
  wait
  rm -rf "$directory"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

cat > "$directory/prometheus.yml" << END
global: {scrape_interval: 5s, evaluation_interval: 5s, external_labels: {cluster: demo}}
rule_files: ["$PWD/alerts/recording.yaml", "$PWD/alerts/volumes.yaml", "$PWD/alerts/agent.yaml"]
alerting: {alertmanagers: [{static_configs: [{targets: ["$alertmanager"]}]}]}
scrape_configs:
  - job_name: volumeter
    honor_labels: true
    static_configs: [{targets: ["$agent"], labels: {node: demo-node, instance: demo-node, cluster: demo}}]
END
sed '/^receivers:/,$d' alerts/alertmanager.yaml > "$directory/alertmanager.yml"
echo 'receivers: [{name: chat}, {name: pager}, {name: escalation}]' >> "$directory/alertmanager.yml"

# In sessions of their own: Ctrl-C is for this script, which ends them in turn.
start() {  # NAME COMMAND...
  local log="$directory/$1.log"
  shift
  setsid "$@" > "$log" 2>&1 &
  started+=($!)
}
wait_for() {  # NAME URL
  local i
  for ((i = 0; i < 300; i++)); do
    if curl -sf -o /dev/null "$2"; then return; fi
    if ! kill -0 "${started[-1]}" 2> /dev/null; then break; fi
    sleep 0.2
  done
  echo "$1 does not start:" >&2
  tail -n 20 "$directory/$1.log" >&2
  exit 1
}
VOLUMETER_DEMO_LISTEN=$agent start demo-node "$demo_node"
wait_for demo-node "http://$agent/readyz"
start alertmanager prometheus-alertmanager --config.file="$directory/alertmanager.yml" \
  --storage.path="$directory/alerts" --web.listen-address="$alertmanager" --cluster.listen-address=
wait_for alertmanager "http://$alertmanager/-/ready"
start prometheus prometheus --config.file="$directory/prometheus.yml" \
  --storage.tsdb.path="$directory/data" --web.listen-address="$prometheus"
wait_for prometheus "http://$prometheus/-/ready"

# Debian's has the old pages only.
pages=
curl -sf -o /dev/null "http://$prometheus/alerts" || pages=/classic

cat << END

  status page    http://$agent/
  metrics        http://$agent/metrics
  alerts         http://$prometheus$pages/alerts   (the first fire after a minute)
  a query        http://$prometheus$pages/graph?g0.expr=claim%3Avolumeter_volume_usage_ratio%3Amax
  who is told    http://$alertmanager/
  dashboards     import dashboards/*.json into a Grafana whose data source is http://$prometheus

Make faults with scripts/fault: full, hang, slow, read-only, unmount, expand, rollout; heal takes them back.
Ctrl-C ends it.
END
# Whichever ends by itself ends the demonstration.
wait -n
echo "something ended by itself:" >&2
tail -n 5 "$directory"/*.log >&2
exit 1
