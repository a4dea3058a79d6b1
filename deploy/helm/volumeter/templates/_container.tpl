{{- define "volumeter.args" -}}
- agent
- --path.rootfs=/host/root
# The container's own /sys shows its own cgroup only.
- --path.sysfs=/host/root/sys
- --kube.node-name=$(NODE_NAME)
- --web.listen-address=:{{ .Values.web.port }}
{{- if .Values.state.enabled }}
- --state.dir=/var/lib/volumeter
{{- end }}
{{- with include "volumeter.probeMode" . }}
{{- if eq . "off" }}
# No I/O in anybody's volume.
{{- end }}
- --probe.mode={{ . }}
{{- end }}
{{- if include "volumeter.webSecret" . }}
- --web.config.file=/etc/volumeter/web/web-config.yaml
{{- end }}
{{- if not .Values.web.pages }}
- --no-web.pages
{{- end }}
{{- with .Values.kubelet }}
{{- if .enabled }}
- --kube.kubelet-url={{ .url }}
{{- if .insecureTLS }}
- --kube.kubelet-insecure-tls
{{- end }}
{{- end }}
{{- end }}
{{- if ne .Values.logLevel "info" }}
- --log.level={{ .Values.logLevel }}
{{- end }}
{{- if ne .Values.logFormat "logfmt" }}
- --log.format={{ .Values.logFormat }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{/* A list of the path and whether by HTTPS. */}}
{{- define "volumeter.probe" -}}
httpGet:
  path: {{ index . 0 }}
  port: metrics
  {{- if index . 1 }}
  scheme: HTTPS
  {{- end }}
{{- end }}

{{- define "volumeter.securityContext" -}}
# Root, but for what is taken away here. It reads other users' directories, which takes root or a
# capability that only root keeps across exec.
runAsUser: 0
runAsNonRoot: false
readOnlyRootFilesystem: true
{{- if eq .Values.profile "privileged" }}
# All capabilities and devices. The agent drops what it doesn't need when it starts.
privileged: true
{{- else }}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
  add:
    # For walks of directories that belong to workloads' users.
    - DAC_READ_SEARCH
    {{- if ne .Values.profile "observe" }}
    # To load BPF programs that count; from Linux 5.12 on. Without them latencies are absent.
    - BPF
    - PERFMON
    {{- end }}
    {{- if eq .Values.profile "probe" }}
    # Volumes' directories belong to the workload's user. Nothing is written unless its owner agrees.
    - DAC_OVERRIDE
    {{- end }}
    {{- with .Values.extraCapabilities }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- with .Values.seLinuxOptions }}
seLinuxOptions: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
