{{- define "volumeter.podSettings" -}}
serviceAccountName: {{ include "volumeter.serviceAccountName" . }}
automountServiceAccountToken: true
# The environment is for flags (VOLUMETER_*); Services' variables would only look like some.
enableServiceLinks: false
# The host's mount table is /proc/1/mountinfo. And as pid 1 of a namespace of its own the container
# couldn't end while a worker sleeps in a dead filesystem.
hostPID: true
hostNetwork: {{ .Values.hostNetwork }}
dnsPolicy: {{ default (ternary "ClusterFirstWithHostNet" "ClusterFirst" .Values.hostNetwork) .Values.dnsPolicy }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- if .Values.priorityClassName }}
priorityClassName: {{ .Values.priorityClassName }}
{{- else }}
# On full nodes, too. Some clusters (GKE) admit it outside of kube-system only with a ResourceQuota in
# the namespace that names it in its scopeSelector.
# priorityClassName: system-node-critical
{{- end }}
securityContext:
  # Some runtimes' default forbids bpf, Landlock or io_uring. The agent puts a narrower filter around
  # each of its workers.
  seccompProfile:
    type: {{ .Values.seccomp.type }}
    {{- if eq .Values.seccomp.type "Localhost" }}
    localhostProfile: {{ required "seccomp.localhostProfile: Localhost needs a path" .Values.seccomp.localhostProfile }}
    {{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "volumeter.volumeMounts" -}}
# Read-only is the node's own disk. With HostToContainer volumes that are mounted later are seen, too, as
# writable as they are on the host: probes need that.
- name: root
  mountPath: /host/root
  readOnly: true
  mountPropagation: HostToContainer
{{- if include "volumeter.tracefs" . }}
- name: tracefs
  mountPath: /sys/kernel/tracing
  readOnly: true
{{- end }}
{{- if .Values.state.enabled }}
- name: state
  mountPath: /var/lib/volumeter
{{- end }}
{{- if include "volumeter.webSecret" . }}
- name: web
  mountPath: /etc/volumeter/web
  readOnly: true
{{- end }}
{{- end }}

{{- define "volumeter.volumes" -}}
- name: root
  hostPath:
    path: /
{{- if include "volumeter.tracefs" . }}
# System calls are timed by tracepoints.
- name: tracefs
  hostPath:
    path: /sys/kernel/tracing
{{- end }}
{{- if .Values.state.enabled }}
# What walks have found, over restarts of the agent.
- name: state
  hostPath:
    path: {{ .Values.state.hostPath }}
    type: DirectoryOrCreate
{{- end }}
{{- with include "volumeter.webSecret" . }}
- name: web
  projected:
    defaultMode: 256 # 0400, as JSON has no octal numbers
    sources:
      - secret:
          name: {{ . }}
      {{- with $.Values.web.tlsSecret }}
      - secret:
          name: {{ . }}
      {{- end }}
{{- end }}
{{- end }}
