import type { Sent } from '../../src/index.ts';
import type { SendersView } from '../../src/conversations/views.ts';
import type { Place } from '../place.ts';
import { cast, senders, type Cast } from './stage.ts';

export interface StepResult {
  readonly step: string;
  /** How many conversations each has, by name. */
  readonly senders: Readonly<Record<string, number>>;
}

const HEADER = ['name', 'phone', 'status', 'created_at', 'last_inbound_at', 'last_outbound_at'];

/** Six contacts in various states; the two who wait for a reply come first in any selection. */
const CONTACTS = [
  ['Alma', '+15550100001', 'needs-reply', '2020-09-01T09:00:00Z', '2020-09-02T10:00:00Z', '2020-09-01T12:00:00Z'],
  ['Chris', '+15550100002', 'needs-reply', '2020-09-01T09:00:00Z', '2020-09-02T11:00:00Z', '2020-09-01T12:00:00Z'],
  ['Dana', '+15550100003', 'not-started', '2020-09-01T09:00:00Z', '', ''],
  ['Eli', '+15550100004', 'not-started', '2020-09-01T09:05:00Z', '', ''],
  ['Fatima', '+15550100005', 'in-progress', '2020-09-01T09:00:00Z', '2020-09-02T08:00:00Z', '2020-09-02T09:00:00Z'],
  ['Gus', '+15550100006', 'closed', '2020-09-01T09:00:00Z', '2020-09-01T18:00:00Z', '2020-09-01T19:00:00Z'],
];

/** Plays the help video through the real queue. `show` is told of each step with the senders as they then stand. */
export async function playVideo(place: Place, show: (title: string, view: SendersView) => void): Promise<StepResult[]> {
  const played = await cast(
    place,
    'Bartlett 2020 Interest Rally September',
    ['Kevin', 'Rebecca'],
    [HEADER, ...CONTACTS],
  );
  const { campaignId } = played;
  show('Before: all 6 conversations are unassigned', await senders(place, campaignId));
  const results: StepResult[] = [];
  for (const { step, title, send } of STEPS) {
    await (await send(place, played)).result();
    const view = await senders(place, campaignId);
    show(title, view);
    results.push({ step, senders: totals(view) });
  }
  return results;
}

interface Step {
  readonly step: string;
  readonly title: string;
  readonly send: (place: Place, played: Cast) => Promise<Sent>;
}

const STEPS: readonly Step[] = [
  {
    step: 'reassign-all',
    title: 'Reassign all, status any, from the pool to everyone',
    send: (place, { campaignId }) =>
      place.producer.reassign({
        operationId: place.newId('op'),
        campaignId,
        from: 'pool',
        to: 'everyone',
        status: 'any',
      }),
  },
  {
    step: 'reassign-some',
    title: 'Reassign some: 1 not started, from Kevin to Rebecca',
    send: (place, { campaignId, texterIds }) =>
      place.producer.reassign({
        operationId: place.newId('op'),
        campaignId,
        from: { texterIds: [idOf(texterIds, 'Kevin')] },
        to: { texterIds: [idOf(texterIds, 'Rebecca')] },
        status: 'not-started',
        count: 1,
      }),
  },
  {
    step: 'reassign-one',
    title: 'Reassign one: Chris, from Rebecca to Kevin',
    send: async (place, { campaignId, texterIds }) =>
      place.producer.reassignOne({
        operationId: place.newId('op'),
        campaignId,
        conversationId: await conversationWith(place, campaignId, 'Chris'),
        expectedAssigneeId: idOf(texterIds, 'Rebecca'),
        to: { texterIds: [idOf(texterIds, 'Kevin')] },
      }),
  },
  {
    step: 'unassign-all',
    title: 'Unassign all of Rebecca, confirmed by the number the preview says',
    send: async (place, { campaignId, texterIds }) => {
      const from = { texterIds: [idOf(texterIds, 'Rebecca')] };
      const request = { operationId: place.newId('op'), campaignId, from, status: 'any' } as const;
      const { moved } = await place.producer.preview({ ...request, kind: 'unassign' });
      return place.producer.unassign({ ...request, confirm: moved });
    },
  },
];

function idOf(texterIds: Cast['texterIds'], name: string): string {
  const id = texterIds[name];
  if (id === undefined) throw new Error(`expected ${name} on the campaign`);
  return id;
}

async function conversationWith(place: Place, campaignId: string, name: string): Promise<string> {
  const found = await place.context.database.conversations.findOne({ campaignId, 'contact.name': name });
  if (!found) throw new Error(`expected a conversation with ${name}`);
  return found._id.toHexString();
}

function totals(view: SendersView): Record<string, number> {
  const senders = view.senders.map(({ name, texterId, total }) => [name ?? texterId, total] as const);
  return Object.fromEntries([...senders, ['pool', view.pool.total] as const]);
}
