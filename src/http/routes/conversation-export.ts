import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { exportConversations, exportForm, type ExportRow, type RowForm, toCsv } from '../../contacts/index.ts';
import { toOutsideId } from '../../domain/id-rules.ts';
import { loggedError } from '../../domain/safe-text.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { problems } from '../document.ts';
import type { HeaderName } from '../response-headers.ts';
import type { HttpServices } from '../services.ts';
import { campaignParams } from '../shapes.ts';
import { Places } from '../streams/places.ts';
import { breakWhenStalled, whenClosed } from '../streams/bodies.ts';

/** Each needs the memory of one batch, however large the campaign is and however slowly it is read. */
const EXPORTS_AT_ONCE_MAX = 32;

/** Then the header line is sent, so that the client sees the beginning of the answer soon. */
const FIRST_ROW_MS_MAX = 100;

const query = z.strictObject({
  raw: z
    .enum(['true', 'false'])
    .default('false')
    .describe(
      'Write texts as they are stored, without an apostrophe before what a spreadsheet would run as a formula.',
    ),
});
const csv = {
  description: 'CSV with a header line. It is complete unless the connection breaks.',
  content: { 'text/csv': { schema: z.string() } },
  headers: ['Content-Disposition'] satisfies readonly HeaderName[],
} as unknown as z.ZodString;

/** The messages export. */
export function addConversationExportRoutes(app: App, { context, logger }: HttpServices): void {
  const places = new Places(EXPORTS_AT_ONCE_MAX, 'exports');
  app.get(
    '/v1/campaigns/:campaignId/conversations.csv',
    {
      config: { access: { for: 'key', scope: 'read', chain: ['campaign'] } },
      schema: {
        operationId: 'exportConversations',
        tags: ['Conversations'],
        summary: 'Export every conversation as CSV, also those that the view hides; an import reads it',
        params: campaignParams,
        querystring: query,
        response: { 200: csv, ...problems(404) },
      },
    },
    async (request, reply) => {
      const { campaignId } = required(request.resources.campaign);
      const leave = places.take();
      const all = exportConversations(context, campaignId);
      whenClosed(reply, () => {
        leave();
        // Closes the cursor, also if no row of the answer has been read.
        all.return(undefined).catch(() => undefined);
      });
      const form = exportForm(request.query.raw === 'true');
      const first = all.next();
      first.catch(() => undefined);
      // An error at once gets a problem as its answer, and not a broken connection.
      await Promise.race([first, delay(FIRST_ROW_MS_MAX)]);
      breakWhenStalled(reply);
      const fileName = toOutsideId(campaignId).replace(/[^\w.-]/g, '_');
      void reply.header('content-disposition', `attachment; filename="${fileName}.csv"`);
      const file = toCsv(shown(first, all, form));
      file.once('error', (error: Error) => {
        logger.error({ requestId: request.id, err: loggedError(error) }, 'an export broke off');
      });
      // A handler that returns `reply` ends only when the whole answer is sent, and the time limit would break a long export.
      void reply.type('text/csv; charset=utf-8');
      return file as never;
    },
  );
}

async function* shown(
  first: Promise<IteratorResult<ExportRow>>,
  others: AsyncIterable<ExportRow>,
  form: RowForm,
): AsyncGenerator<ExportRow> {
  const result = await first;
  if (result.done !== true) yield form(result.value);
  for await (const row of others) yield form(row);
}
