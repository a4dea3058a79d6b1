{{- define "volumeter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "volumeter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $both .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Of what belongs to the cluster: no other release can have it. No name has a colon. */}}
{{- define "volumeter.clusterName" -}}
{{ .Release.Namespace }}:{{ include "volumeter.fullname" . }}
{{- end }}

{{/* They can't be changed: nothing that a value adds. */}}
{{- define "volumeter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "volumeter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end }}

{{- define "volumeter.labels" -}}
{{ include "volumeter.ownLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "volumeter.ownLabels" -}}
{{ include "volumeter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "volumeter.monitoringLabels" -}}
{{ include "volumeter.ownLabels" . }}
{{- with merge (dict) .Values.monitoringLabels .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "volumeter.serviceAccountName" -}}
{{- default (ternary (include "volumeter.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "volumeter.image" -}}
{{- with .Values.image }}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* The mode that has to be said: a profile without the rights to probe has none. */}}
{{- define "volumeter.probeMode" -}}
{{- default (ternary "off" "" (has .Values.profile (list "observe" "latency"))) .Values.probe.mode }}
{{- end }}

{{- define "volumeter.tracefs" -}}
{{- if and .Values.tracefs (ne .Values.profile "observe") }}true{{ end }}
{{- end }}

{{/* The Secret with web-config.yaml, if any. */}}
{{- define "volumeter.webSecret" -}}
{{- with .Values.web }}
{{- if and .config .existingSecret }}{{ fail "web.config and web.existingSecret: only one of them can be web-config.yaml" }}{{ end }}
{{- if and (hasKey .config "tls_server_config") (not .tlsSecret) }}{{ fail "web.config.tls_server_config: web.tlsSecret must name the Secret with its files" }}{{ end }}
{{- if and (or .https .tlsSecret) (not (or .config .existingSecret)) }}{{ fail "web.https and web.tlsSecret: there is no web.config and no web.existingSecret" }}{{ end }}
{{- .existingSecret }}
{{- if .config }}{{ include "volumeter.fullname" $ }}-web{{ end }}
{{- end }}
{{- end }}

{{- define "volumeter.scheme" -}}
{{- ternary "https" "http" (or .Values.web.https (hasKey .Values.web.config "tls_server_config")) }}
{{- end }}
