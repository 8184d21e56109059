import type { Sent } from '../../src/index.ts';
import type { SendersView } from '../../src/conversations/views.ts';
import type { Sandbox } from '../sandbox.ts';
import { createDemoCampaign, senders, type DemoCampaign } from './demo-campaign.ts';

export interface StepResult {
  readonly step: string;
  /** The number of conversations of each texter and of the pool, by name. */
  readonly senders: Readonly<Record<string, number>>;
}

const HEADER = ['name', 'phone', 'status', 'created_at', 'last_inbound_at', 'last_outbound_at'];

/** Six conversations in different statuses. A selection takes the two that need a reply first. */
const CONTACTS = [
  ['Alma', '+12025550101', 'needs-reply', '2020-09-01T09:00:00Z', '2020-09-02T10:00:00Z', '2020-09-01T12:00:00Z'],
  ['Chris', '+12025550102', 'needs-reply', '2020-09-01T09:00:00Z', '2020-09-02T11:00:00Z', '2020-09-01T12:00:00Z'],
  ['Dana', '+12025550103', 'not-started', '2020-09-01T09:00:00Z', '', ''],
  ['Eli', '+12025550104', 'not-started', '2020-09-01T09:05:00Z', '', ''],
  ['Fatima', '+12025550105', 'in-progress', '2020-09-01T09:00:00Z', '2020-09-02T08:00:00Z', '2020-09-02T09:00:00Z'],
  ['Gus', '+12025550106', 'closed', '2020-09-01T09:00:00Z', '2020-09-01T18:00:00Z', '2020-09-01T19:00:00Z'],
];

/** Performs the steps of the help video through the queue. Calls `show` after each step. */
export async function playVideo(
  sandbox: Sandbox,
  show: (title: string, view: SendersView) => void,
): Promise<StepResult[]> {
  const campaign = await createDemoCampaign(
    sandbox,
    'Bartlett 2020 Interest Rally September',
    ['Kevin', 'Rebecca'],
    [HEADER, ...CONTACTS],
  );
  const { campaignId } = campaign;
  show('At the start: all 6 conversations are unassigned', await senders(sandbox, campaignId));
  const results: StepResult[] = [];
  for (const { step, title, send } of STEPS) {
    await (await send(sandbox, campaign)).result();
    const view = await senders(sandbox, campaignId);
    show(title, view);
    results.push({ step, senders: totals(view) });
  }
  return results;
}

interface Step {
  readonly step: string;
  readonly title: string;
  readonly send: (sandbox: Sandbox, campaign: DemoCampaign) => Promise<Sent>;
}

const STEPS: readonly Step[] = [
  {
    step: 'reassign-all',
    title: 'Reassign all, status any, from the pool to everyone',
    send: (sandbox, { campaignId }) =>
      sandbox.producer.reassign({
        operationId: sandbox.newId('op'),
        campaignId,
        from: 'pool',
        to: 'everyone',
        status: 'any',
      }),
  },
  {
    step: 'reassign-some',
    title: 'Reassign some: 1 not-started conversation, from Kevin to Rebecca',
    send: (sandbox, { campaignId, texterIds }) =>
      sandbox.producer.reassign({
        operationId: sandbox.newId('op'),
        campaignId,
        from: { texterIds: [idOf(texterIds, 'Kevin')] },
        to: { texterIds: [idOf(texterIds, 'Rebecca')] },
        status: 'not-started',
        count: 1,
      }),
  },
  {
    step: 'reassign-one',
    title: 'Reassign one: the conversation with Chris, from Rebecca to Kevin',
    send: async (sandbox, { campaignId, texterIds }) =>
      sandbox.producer.reassignOne({
        operationId: sandbox.newId('op'),
        campaignId,
        conversationId: await conversationWith(sandbox, campaignId, 'Chris'),
        expectedAssigneeId: idOf(texterIds, 'Rebecca'),
        to: { texterIds: [idOf(texterIds, 'Kevin')] },
      }),
  },
  {
    step: 'unassign-all',
    title: 'Unassign all of Rebecca, confirmed with the number from the preview',
    send: async (sandbox, { campaignId, texterIds }) => {
      const from = { texterIds: [idOf(texterIds, 'Rebecca')] };
      const request = { operationId: sandbox.newId('op'), campaignId, from, status: 'any' } as const;
      const { moved } = await sandbox.producer.preview({ ...request, kind: 'unassign' });
      return sandbox.producer.unassign({ ...request, confirm: moved });
    },
  },
];

function idOf(texterIds: DemoCampaign['texterIds'], name: string): string {
  const id = texterIds[name];
  if (id === undefined) throw new Error(`the campaign has no texter ${name}`);
  return id;
}

async function conversationWith(sandbox: Sandbox, campaignId: string, name: string): Promise<string> {
  const found = await sandbox.context.database.conversations.findOne({ campaignId, 'contact.name': name });
  if (!found) throw new Error(`the campaign has no conversation with ${name}`);
  return found._id.toHexString();
}

function totals(view: SendersView): Record<string, number> {
  const senders = view.senders.map(({ name, texterId, total }) => [name ?? texterId, total] as const);
  return Object.fromEntries([...senders, ['pool', view.pool.total] as const]);
}
