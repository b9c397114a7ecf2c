{{/*
The pod of everything that runs the command.
root: the chart's context; args: of the command; env: beside that of the values; restart, grace: as in a pod; ports,
probe: of a worker.
*/}}
{{- define "backup.pod" -}}
restartPolicy: {{ .restart }}
terminationGracePeriodSeconds: {{ .grace | int64 }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .root.Values.user | int64 }}
  runAsGroup: {{ .root.Values.group | int64 }}
  # Whose group the volume and the secrets get, so that this user can write to one and read the others.
  fsGroup: {{ .root.Values.group | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: backup
    image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    {{- if or .env .root.Values.dryRun .root.Values.env }}
    env:
      {{- with .env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      {{- if .root.Values.dryRun }}
      - { name: DRY_RUN, value: "1" }
      {{- end }}
      {{- with .root.Values.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- with .port }}
    ports:
      - { name: http, containerPort: {{ . }} }
    # Whether it reaches its queue. One that does not is not restarted: what it runs goes on.
    readinessProbe:
      httpGet: { path: /healthz, port: http }
    {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    resources: {{- toYaml .root.Values.resources | nindent 6 }}
    volumeMounts:
      - { name: backup, mountPath: /backup, readOnly: true }
      {{- if .root.Values.destination.enabled }}
      - { name: data, mountPath: /data }
      {{- end }}
      - { name: tmp, mountPath: /tmp }
volumes:
  - name: backup
    projected:
      # ssh wants its keys to be nobody else's; what belongs to root, and only this group reads, is fine.
      defaultMode: 0440
      sources:
        - configMap: { name: {{ include "backup.name" .root }} }
        {{- with include "backup.secret" .root }}
        - secret: { name: {{ . }} }
        {{- end }}
  {{- if .root.Values.destination.enabled }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ .root.Values.destination.existingClaim | default (include "backup.name" .root) }}
  {{- end }}
  - name: tmp
    emptyDir: { sizeLimit: 512Mi }
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The file with what is backed up, in the container. */}}
{{- define "backup.file" -}}
/backup/{{ if .Values.plan }}plan.yaml{{ else if .Values.accounts }}accounts.csv{{ else }}backup{{ end }}
{{- end -}}

{{/* What the CronJob runs. */}}
{{- define "backup.cronArgs" -}}
{{- if .Values.fleet.enabled -}}
{{- concat (list "fleet" "enqueue" (include "backup.file" .)) .Values.fleet.enqueue | toYaml -}}
{{- else if gt (int .Values.shards) 1 -}}
{{- list "run" (include "backup.file" .) (printf "--shard=$(SHARD)/%d" (int .Values.shards)) | toYaml -}}
{{- else -}}
{{- list "run" (include "backup.file" .) | toYaml -}}
{{- end -}}
{{- end -}}

{{/* What the CronJob is told by its environment. */}}
{{- define "backup.cronEnv" -}}
{{- if .Values.fleet.enabled -}}
- name: BACKUP_QUEUE
  value: {{ .Values.fleet.queue | quote }}
{{- else if gt (int .Values.shards) 1 -}}
- name: SHARD
  valueFrom:
    fieldRef:
      fieldPath: metadata.annotations['batch.kubernetes.io/job-completion-index']
{{- end -}}
{{- end -}}
