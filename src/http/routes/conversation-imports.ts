import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { contactRow } from '../../contacts/index.ts';
import { required } from '../access.ts';
import type { App } from '../app-type.ts';
import { answer, problems } from '../document.ts';
import { NDJSON } from '../document-schemas.ts';
import { unavailable } from '../problem-of-error.ts';
import { refillPool, type HttpServices } from '../services.ts';
import { campaignParams, countryCode } from '../shapes.ts';
import { importRows, IMPORT_ROWS_MAX, noRows } from '../streams/import-rows.ts';
import { Places } from '../streams/places.ts';
import { IMPORT_BYTES_MAX, allowSlowBody, breakWhenStalled, whenClosed } from '../streams/bodies.ts';
import { validatorCompiler } from '../validation.ts';

const IMPORTS_AT_ONCE_MAX = 4;
/** How long receiving a body and importing its rows may take. */
const IMPORT_MS_MAX = 10 * 60_000;

const EXAMPLE = [
  { externalId: 'v-1001', name: 'Alma Reyes', phone: '+12025550101' },
  { externalId: 'v-1002', name: 'Ben Okafor', phone: '+12025550102', status: 'needs-reply', assigneeId: 't_kevin' },
];
const rows = z
  .array(contactRow)
  .min(1)
  .max(IMPORT_ROWS_MAX)
  .meta({ id: 'ContactRows', examples: [EXAMPLE] });

const flag = (description: string) => z.enum(['true', 'false']).default('false').describe(description);
const query = z.strictObject({
  country: countryCode.optional().describe('Of numbers without a country code. Default: that of the campaign.'),
  acceptRejected: flag('Import the good rows although more than a fifth of the phone numbers cannot be read.'),
  keepAssignees: flag('Give to paused texters too, and keep opted-out contacts with their assignees.'),
  sharedIds: flag('Accept several phone numbers with one external id, such as those of a household.'),
});

const count = z.int();
const rejectedRow = z
  .object({
    line: count.describe('The number of the line or of the element of the array, from 1.'),
    field: z.string().nullable().describe('The field that is wrong; null when the row as a whole is.'),
    reason: z.string(),
  })
  .meta({ id: 'RejectedRow' });
const imported = z
  .object({
    rows: count,
    added: count,
    alreadyThere: count.describe('Rows whose phone number the campaign, or an earlier row, already had.'),
    optedOut: count.describe('Contacts that were opted out: new ones, and ones that were there.'),
    leftInPool: count.describe('Added contacts who got no assignee because they have opted out.'),
    rejectedCount: count,
    rejected: z.array(rejectedRow).describe('Every rejected row.'),
  })
  .meta({ id: 'ImportedConversations' });

const description = `Adds the contacts whose phone number is new to the campaign; the others do not change, except that an
opt-out always holds. A row whose external id belongs to another phone number is rejected. A row that cannot be read is
rejected alone. Nothing changes until the whole body has been received, and sending the same rows again is safe. At most
${IMPORT_ROWS_MAX} rows and ${IMPORT_BYTES_MAX} bytes.`;

/** The bulk upsert of conversations. Its body is not parsed as a whole, so it has content types of its own. */
export async function addConversationImportRoutes(app: App, services: HttpServices): Promise<void> {
  const places = new Places(IMPORTS_AT_ONCE_MAX, 'imports');
  await app.register((scope: App, _, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser([NDJSON, 'application/json'], (_request, payload, parsed) => parsed(null, payload));
    addImport(scope, services, places);
    done();
  });
}

function addImport(app: App, services: HttpServices, places: Places): void {
  app.post(
    '/v1/campaigns/:campaignId/conversations',
    {
      config: {
        access: { for: 'key', scope: 'conversations:write', chain: ['campaign'] },
        answerMsMax: IMPORT_MS_MAX,
      },
      bodyLimit: IMPORT_BYTES_MAX,
      // The rows are checked one by one.
      validatorCompiler: (part) =>
        part.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(part as never),
      onRequest: async (request, reply) => allowSlowBody(request, reply),
      schema: {
        operationId: 'importConversations',
        tags: ['Conversations'],
        summary: 'Add many conversations, as NDJSON or as a JSON array',
        description,
        consumes: ['application/json', NDJSON],
        params: campaignParams,
        querystring: query,
        body: rows,
        response: { 200: answer('What became of the rows.', imported), ...problems(404, 409) },
      },
    },
    async (request, reply) => {
      const { country, ...flags } = request.query;
      const { campaignId } = required(request.resources.campaign);
      if (!((request.body as unknown) instanceof Readable)) throw noRows();
      const leave = places.take();
      try {
        const form = request.headers['content-type']?.startsWith(NDJSON) ? 'lines' : 'array';
        const isSet = (name: keyof typeof flags): boolean => flags[name] === 'true';
        const options = {
          country,
          acceptRejected: isSet('acceptRejected'),
          keepAssignees: isSet('keepAssignees'),
          sharedIds: isSet('sharedIds'),
        };
        const signal = endOf(services, reply);
        const { added, answer: body } = await importRows(services, request, { campaignId, form, options }, signal);
        if (added > 0) await refillPool(services, campaignId);
        breakWhenStalled(reply);
        // The request may have been answered with an error meanwhile.
        whenClosed(reply, () => body.destroy());
        void reply.type('application/json');
        return body as never;
      } finally {
        leave();
      }
    },
  );
}

/** A signal that ends the import when the server stops, or when the response ends: the client is gone, or the time is over. */
function endOf({ stopping }: HttpServices, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => controller.abort(unavailable('the server, which stops,'));
  stopping.signal.addEventListener('abort', stop);
  if (stopping.signal.aborted) stop();
  whenClosed(reply, () => {
    stopping.signal.removeEventListener('abort', stop);
    controller.abort(unavailable('the client'));
  });
  return controller.signal;
}
