# The image of the worker. It opens no port. To monitor it, read its log and its BullMQ queues.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY dev/build dev/build
COPY src src
COPY workers workers
RUN npm run build

FROM node:20-slim
ENV NODE_ENV=production
# The init is process 1: it passes signals on to the worker and collects processes that have ended.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/dist dist
USER node
# On SIGTERM the worker finishes its batches and returns its jobs. Give it time: see stop_grace_period in docker-compose.yml.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/tini", "--"]
# The Node flags must equal those in src/config.ts, which gives the reasons. A test compares them.
CMD ["node", "--max-semi-space-size=16", "--min-semi-space-size=16", "--heap-growing-percent=50", "dist/workers/main.js"]
