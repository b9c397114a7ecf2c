# backup as a container: docs/container.md. Built by: docker build -t backup .

FROM node:24-bookworm-slim AS build
WORKDIR /src
# What decides which packages there are comes first: they are installed again only when it changes.
COPY package.json package-lock.json ./
COPY packages/cli/package.json packages/cli/
COPY packages/core/package.json packages/core/
COPY packages/imap/package.json packages/imap/
COPY packages/file/package.json packages/file/
COPY packages/fleet/package.json packages/fleet/
COPY packages/mail/package.json packages/mail/
COPY packages/mysql/package.json packages/mysql/
COPY packages/rclone/package.json packages/rclone/
COPY packages/samba/package.json packages/samba/
COPY packages/transport-rsync/package.json packages/transport-rsync/
# No install scripts: the only ones compile parts of ssh2, which is not used where there is ssh(1).
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY LICENSE tsconfig.base.json ./
COPY packages packages
COPY scripts scripts
# Set, to anything, by whoever runs `backup fleet` in it: a queue, and a page that shows it, are as large as all the rest.
ARG FLEET=""
# What is left is what runs, readable by every user whatever the umask of the checkout.
RUN npx tsc -b packages/cli packages/fleet \
 && node scripts/bundle.mjs \
 && if [ -z "$FLEET" ]; then rm -r packages/fleet; fi \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && find . -name '*.map' -delete \
 && find node_modules packages/*/node_modules '(' -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' ')' -delete \
 && find packages -mindepth 2 -maxdepth 3 '(' -name .tsbuildinfo -o -name 'tsconfig*.json' -o -name src ')' \
      -prune -exec rm -r '{}' + \
 && rm package-lock.json tsconfig.base.json \
 && rm -r scripts \
 && chmod -R u=rwX,go=rX .

FROM node:24-bookworm-slim
# More of Debian's packages, for what not everybody needs: rclone, mariadb-client.
ARG PACKAGES=""
# libnss-unknown: every uid has a name, without which ssh does not start.
RUN apt-get update \
 && apt-get install -y --no-install-recommends bash ca-certificates libnss-unknown openssh-client rsync tini ${PACKAGES} \
 && rm -rf /var/lib/apt/lists/* /var/log/* \
 && ln -s ../lib/backup/packages/cli/bin/backup.js /usr/local/bin/backup
COPY --from=build /src /usr/local/lib/backup
ENV NODE_ENV=production \
    LANG=C.UTF-8 \
    BACKUP_HEALTH_FILE=/tmp/backup-health.json
LABEL org.opencontainers.image.title="backup" \
      org.opencontainers.image.description="Backs up IMAP accounts to a directory or to any host by ssh" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
# Says something of a watch (`run --watch`, `imap --watch`) alone; anything else is as healthy as its process.
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s CMD ["backup", "health"]
# tini passes signals to `backup` alone, which tells its own processes.
ENTRYPOINT ["tini", "--", "backup"]
CMD ["run"]
