{{/*
The name of the release's objects. Helm keeps release names apart within a namespace, and under 54 characters. Whatever is
shortened or left out here could make two of them alike.
*/}}
{{- define "fraud.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name -}}
{{- end -}}

{{/*
A name and its suffix, at most 63 characters: `include "fraud.fit" (list NAME SUFFIX)`. What is cut off is the end of NAME,
where names differ most often, so a hash of the whole takes its place.
*/}}
{{- define "fraud.fit" -}}
{{- $name := index . 0 -}}
{{- $suffix := index . 1 -}}
{{- if le (len (print $name $suffix)) 63 -}}
{{- print $name $suffix -}}
{{- else -}}
{{- $room := sub 54 (len $suffix) | int -}}
{{- printf "%s-%s%s" (trunc $room $name | trimSuffix "-") (sha256sum $name | trunc 8) $suffix -}}
{{- end -}}
{{- end -}}

{{/*
Labels that never change in the life of a release: selectors are made of these, and cannot be changed. A release can be
called `on` or `null`, so its name stands in quotes here, and the names of objects do as well.
*/}}
{{- define "fraud.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fraud.labels" -}}
{{ include "fraud.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{/*
What the process finds in its environment: the data of a ConfigMap. Numbers of values are floats here; toJson writes
10000000 where quote alone would write 1e+07.
*/}}
{{- define "fraud.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name | quote }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
ENVIRONMENT: {{ .Values.environment | quote }}
LOG_LEVEL: {{ .Values.logLevel | quote }}
MODEL_VERSION: {{ .Values.model.version | quote }}
{{- end -}}

{{- define "fraud.image" -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest | quote }}
{{- end -}}

{{/* What the Pod Security level `restricted` asks of each container, and a read-only file system. */}}
{{- define "fraud.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "fraud.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}
