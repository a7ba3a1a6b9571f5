{{/* repository, tag and digest in a dict: the digest goes before the tag, where the chart knows digests at all. */}}
{{- define "image.pinned" -}}
{{- if and .digest (semverCompare ">=1.9.0" .chart) -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
{{- end -}}

{{- define "image.airflow" -}}
{{- with .Values -}}
{{- include "image.pinned" (dict
  "repository" (.images.airflow.repository | default .defaultAirflowRepository)
  "tag" (.images.airflow.tag | default .defaultAirflowTag)
  "digest" (.images.airflow.digest | default .defaultAirflowDigest)
  "chart" $.Chart.Version) -}}
{{- end -}}
{{- end -}}

{{- define "image.default" -}}
{{- with .Values -}}
{{- include "image.pinned" (dict
  "repository" .defaultAirflowRepository "tag" .defaultAirflowTag "digest" .defaultAirflowDigest
  "chart" $.Chart.Version) -}}
{{- end -}}
{{- end -}}

{{- define "image.migrations" -}}
{{- if .Values.images.useDefaultImageForMigration -}}
{{- include "image.default" . -}}
{{- else -}}
{{- include "image.airflow" . -}}
{{- end -}}
{{- end -}}

{{/* Falls back to the defaults, not to images.airflow; its digest counts from the release after 1.22 on. */}}
{{- define "image.pod-template" -}}
{{- $digest := "" -}}
{{- if semverCompare ">=1.23.0" .Chart.Version -}}
{{- $digest = .Values.images.pod_template.digest | default .Values.defaultAirflowDigest -}}
{{- end -}}
{{- with .Values -}}
{{- include "image.pinned" (dict
  "repository" (.images.pod_template.repository | default .defaultAirflowRepository)
  "tag" (.images.pod_template.tag | default .defaultAirflowTag)
  "digest" $digest "chart" $.Chart.Version) -}}
{{- end -}}
{{- end -}}

{{/* All others: repository and tag. */}}
{{- define "image.flower" -}}
{{- with .Values -}}
{{ .images.flower.repository | default .defaultAirflowRepository }}:{{ .images.flower.tag | default .defaultAirflowTag }}
{{- end -}}
{{- end -}}

{{- define "image.other" -}}
{{ .repository }}:{{ .tag }}
{{- end -}}
