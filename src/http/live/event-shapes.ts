import { z } from 'zod';
import { OPERATION_STATES } from '../../domain/operation.ts';
import { changedOperation, changedTexter, OMITTED } from '../../events/index.ts';
import { operation } from '../operation-shapes.ts';
import { countsByStatus, load, optedOutCount, sender } from '../shapes.ts';

/**
 * One kind of event. Views write its data by the schema, and the document refers to it: JSON Schema has `contentSchema` for
 * JSON inside a text.
 */
function event<Name extends string, Shape extends z.ZodRawShape>(
  name: Name,
  { id, description }: { readonly id: string; readonly description: string },
  shape: Shape,
) {
  const dataId = `${id}Data`;
  const data = z.object(shape).meta({ id: dataId, description });
  const contentSchema = { $ref: `#/components/schemas/${dataId}` };
  const whole = z
    .object({
      event: z.literal(name),
      id: z.string().optional().describe('What a client sends as `Last-Event-ID` to continue after this event.'),
      data: z.string().meta({ contentMediaType: 'application/json', contentSchema }),
    })
    .meta({ id: `${id}Event`, description });
  return { data, whole };
}

const version = z.int().describe('The version of the newest change that the client knows after this event.');
const previous = z
  .int()
  .describe('The `version` of the event before it. A client that has another one has missed an event.');
const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();
const manyOf = <Name extends string>(names: readonly Name[]) =>
  listOf(z.enum(names)).describe('What is left out because it would be too long: read it again.');

export const everyStream = {
  reset: event(
    'reset',
    { id: 'StreamReset', description: 'Events are missing: forget everything. A `snapshot` or an `end` follows.' },
    { reason: z.enum(['events-lost', 'slow-client', 'unknown-event-id']) },
  ),
  bye: event(
    'bye',
    {
      id: 'StreamBye',
      description: 'The stream ends: connect again; after `access-ended`, with another key or token.',
    },
    { reason: z.enum(['server-stops', 'access-ended', 'unavailable']) },
  ),
};

const operations = listOf(changedOperation.meta({ id: 'ChangedOperation' }));
const counts = {
  countedAt: z.iso.datetime().describe('The moment for which the counts hold.'),
  senders: listOf(sender.omit({ name: true }).meta({ id: 'SenderCounts' })),
  pool: load,
  many: manyOf(['senders']),
};

export const campaignEvents = {
  snapshot: event(
    'snapshot',
    { id: 'CampaignSnapshot', description: 'The state of the campaign. It replaces what the client knew.' },
    {
      version,
      counts: z.object(counts).meta({ id: 'CountsOfCampaign' }),
      operations: operations.describe('The newest operations and claims.'),
    },
  ),
  changes: event(
    'changes',
    { id: 'CampaignChanges', description: 'What has changed on the campaign.' },
    {
      version,
      previous,
      operations: operations.describe('Each in its newest state.'),
      texters: listOf(changedTexter.meta({ id: 'ChangedTexter' })).describe(
        'The ids of the conversations that texters gained and lost.',
      ),
      many: manyOf(OMITTED),
    },
  ),
  counts: event(
    'counts',
    { id: 'CampaignCounts', description: 'The counts by sender, when they have changed.' },
    { version, ...counts },
  ),
  ...everyStream,
};

const wholeOperation = {
  version,
  operation: operation.nullable().describe('null when it was deleted, long after its end.'),
};

export const operationEvents = {
  snapshot: event(
    'snapshot',
    { id: 'OperationSnapshot', description: 'The operation. It replaces what the client knew.' },
    wholeOperation,
  ),
  progress: event(
    'progress',
    { id: 'OperationProgress', description: 'How far the operation has come.' },
    {
      version,
      previous,
      state: z.enum(OPERATION_STATES),
      moved: z.int().describe('How many conversations it has moved so far.'),
    },
  ),
  end: event(
    'end',
    { id: 'OperationEnd', description: 'The operation with its receipt. The stream ends.' },
    wholeOperation,
  ),
  ...everyStream,
};

const ownClaim = changedOperation.pick({ operationId: true, state: true, moved: true }).meta({ id: 'ChangedClaim' });
const ownIds = listOf(z.string());

export const texterEvents = {
  snapshot: event(
    'snapshot',
    { id: 'OwnSnapshot', description: "The counts of the texter's conversations. They replace what the client knew." },
    { version, counts: countsByStatus, optedOut: optedOutCount },
  ),
  changes: event(
    'changes',
    { id: 'OwnChanges', description: 'What has changed of what the texter has.' },
    {
      version,
      previous,
      claims: listOf(ownClaim).describe("The texter's claims, each in its newest state."),
      gained: ownIds.describe('The ids of the conversations that the texter gained.'),
      lost: ownIds.describe('The ids of the conversations that the texter lost.'),
      many: manyOf(['claims', 'conversations']),
    },
  ),
  ...everyStream,
};

export interface EventKind {
  readonly data: z.ZodObject;
  readonly whole: z.ZodObject;
}

/** The kinds of events of a stream, by their names. */
export type StreamEvents<Name extends PropertyKey = string> = Readonly<Record<Name, EventKind>>;

/** The data of an event. */
export type DataOf<Events extends StreamEvents<keyof Events>, Name extends keyof Events> = z.output<
  Events[Name]['data']
>;
