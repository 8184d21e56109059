# The worker. It opens no port; how it does is seen in its log and in the queues.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workers workers
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
# The worker finishes the batch in hand and gives its job back; `docker stop` must wait for it (see docker-compose.yml).
STOPSIGNAL SIGTERM
# The flags are those of src/worker-flags.ts, which says why.
CMD ["node", "--max-semi-space-size=16", "--min-semi-space-size=16", "--heap-growing-percent=50", "dist/workers/main.js"]
