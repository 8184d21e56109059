import { z } from 'zod';
import type { App } from '../app-type.ts';
import { answer } from '../document.ts';
import type { HttpServices } from '../services.ts';

const live = z.object({ live: z.literal(true) }).meta({ examples: [{ live: true }] });

const readiness = z
  .object({
    ready: z.boolean(),
    missing: z.array(z.enum(['MongoDB', 'Redis', 'stopping'])).describe('Why the server is not ready.'),
  })
  .meta({ id: 'Readiness' });

export function addHealthRoutes(app: App, { availability, stopping }: HttpServices): void {
  app.get(
    '/livez',
    {
      config: { access: { for: 'anyone' } },
      schema: {
        operationId: 'isLive',
        tags: ['Server'],
        summary: 'Say that the process works',
        response: { 200: answer('The process works.', live) },
      },
    },
    () => ({ live: true as const }),
  );
  app.get(
    '/readyz',
    {
      config: { access: { for: 'anyone' } },
      schema: {
        operationId: 'isReady',
        tags: ['Server'],
        summary: 'Say whether the server can serve requests, and what is missing',
        response: {
          200: answer('The server can serve requests.', readiness),
          503: answer('Something is missing.', readiness),
        },
      },
    },
    async (_, reply) => {
      const missing = [...availability.missing, ...(stopping.signal.aborted ? ['stopping'] : [])];
      const ready = missing.length === 0;
      return reply.status(ready ? 200 : 503).send({ ready, missing: missing as z.output<typeof readiness>['missing'] });
    },
  );
}
