import { changeRules, setActive, setClosed } from '../../../src/campaigns/index.ts';
import { importContacts, sourceOf } from '../../../src/contacts/index.ts';
import type { HaltCode, RefusalCode } from '../../../src/domain/errors.ts';
import type { AnyRequest } from '../../support/any-request.ts';
import { until } from '../../support/until.ts';
import type { BusyCampaign } from './busy-campaign.ts';
import { repeatAtRate } from './rate.ts';

/** One kind of writer. Two writers of each pair work on one campaign at the same time. */
export interface Writer {
  readonly name: string;
  /** Runs before both writers start. */
  readonly prepare?: (campaign: BusyCampaign) => Promise<void>;
  /** Works until it is done. A writer that `repeats` works until `isOver` returns true. */
  readonly write: (campaign: BusyCampaign, isOver: () => boolean) => Promise<void>;
  readonly repeats?: true;
  /** The codes with which its own requests may be refused. */
  readonly refusals?: readonly (RefusalCode | HaltCode)[];
  /** The codes with which the requests of both writers may be refused because of this writer. */
  readonly causes?: readonly (RefusalCode | HaltCode)[];
  /** True when another program changes conversations, so that the reasons of skips cannot be checked. */
  readonly isOutside?: true;
}

/** More than any campaign of these tests has. */
const CONFIRMED = 100_000;
/** The part of the conversations that an operation moves before it is undone. */
const UNDONE_SHARE = 0.4;
const CLAIM_COUNT = 10;
const CLAIM_WAIT_MS = 400;
const IMPORTED = { contacts: 1_500, atOnce: 250 };
const PER_SECOND = { claims: 15, moves: 40, lists: 5, pauses: 10, rules: 10 };
/** As many as a person ticks on a screen. */
const LISTED_MAX = 60;

function reassign(campaign: BusyCampaign, fields: Partial<Extract<AnyRequest, { kind: 'reassign' }>>): AnyRequest {
  const { campaignId } = campaign;
  const all = { from: 'pool', to: 'everyone', status: 'any' } as const;
  return { kind: 'reassign', operationId: campaign.newId(), campaignId, ...all, ...fields };
}

/** Moves many small groups, each from one texter to another. */
async function prepareUndo(campaign: BusyCampaign): Promise<void> {
  const to = { texterIds: campaign.texterIds.slice(0, campaign.texterIds.length / 2) };
  const count = Math.floor(campaign.assignees.size * UNDONE_SHARE);
  const request = reassign(campaign, { from: 'everyone', to, count });
  await campaign.operate(request);
  campaign.undoable.push(request.operationId);
}

async function undo(campaign: BusyCampaign): Promise<void> {
  const { campaignId, undoable } = campaign;
  await campaign.operate({ kind: 'undo', operationId: campaign.newId(), campaignId, undoes: undoable.pop() ?? '' });
}

async function unassignAll(campaign: BusyCampaign): Promise<void> {
  const { campaignId } = campaign;
  const all = { from: 'everyone', status: 'any', confirm: CONFIRMED } as const;
  await campaign.operate({ kind: 'unassign', operationId: campaign.newId(), campaignId, ...all });
}

/** Half of the texters of the campaign claim, each one again and again. */
function claims(waitMs?: number): Writer['write'] {
  return async (campaign, isOver) => {
    const texterIds = campaign.texterIds.filter((_, index) => index % 2 === 0);
    const claiming = texterIds.map((texterId) =>
      repeatAtRate(PER_SECOND.claims, isOver, () => campaign.claim(texterId, CLAIM_COUNT, waitMs)),
    );
    await Promise.all(claiming);
  };
}

async function moveSingle(campaign: BusyCampaign): Promise<void> {
  const { campaignId, random, texterIds } = campaign;
  const conversationId = random.pick([...campaign.assignees.keys()]);
  const fields = { operationId: campaign.newId(), campaignId, conversationId };
  const to = { texterIds: [random.pick(texterIds)] as [string] };
  await campaign.operate(
    random.chance(0.3) ? { kind: 'unassign-one', ...fields } : { kind: 'reassign-one', ...fields, to },
  );
}

/** Moves conversations that a person has chosen on a screen, some of them with the assignee that the screen showed. */
async function moveChosen(campaign: BusyCampaign): Promise<void> {
  const { campaignId, random, texterIds } = campaign;
  const chosen = random.some([...campaign.assignees], random.between(1, LISTED_MAX));
  const conversations = chosen.map(([conversationId, expectedAssigneeId]) =>
    random.chance(0.3) ? { conversationId, expectedAssigneeId } : { conversationId },
  );
  const fields = { operationId: campaign.newId(), campaignId, conversations };
  const to = { texterIds: [random.pick(texterIds)] as [string] };
  await campaign.operate(
    random.chance(0.3) ? { kind: 'unassign-list', ...fields } : { kind: 'reassign-list', ...fields, to },
  );
}

async function importInto(campaign: BusyCampaign): Promise<void> {
  const { campaignId, harness } = campaign;
  const prefix = campaign.newPhonePrefix();
  const rows = Array.from({ length: IMPORTED.contacts }, (_, number) => [
    `Imported ${number}`,
    `${prefix}${String(number).padStart(6, '0')}`,
  ]);
  const result = await campaign.timed('import', () =>
    importContacts(harness.context, campaignId, sourceOf(['name', 'phone'], rows)),
  );
  if (result.added !== IMPORTED.contacts) throw new Error(`the import added ${result.added} contacts`);
  await harness.producer.poolRefilled(campaignId);
  await campaign.addImported(prefix);
}

/** Pauses and resumes the last texters, so that some are always active. */
async function pauseAndResume(campaign: BusyCampaign): Promise<void> {
  const { campaignId, harness, random, texterIds } = campaign;
  const texterId = random.pick(texterIds.slice(-texterIds.length / 2));
  for (const active of [false, true]) {
    await campaign.timed('pause or resume', () => setActive(harness.context, campaignId, texterId, active));
  }
}

async function changeTheRules(campaign: BusyCampaign): Promise<void> {
  const { campaignId, harness, random, rules } = campaign;
  const { context } = harness;
  const change = (changes: Parameters<typeof changeRules>[2]) =>
    campaign.timed('change of rules', () => changeRules(context, campaignId, changes));
  await change({ batchMax: random.between(1, rules.batchMax), enabled: random.chance(0.7) });
  await campaign.timed('close', () => setClosed(context, campaignId, random.chance(0.3)));
  await campaign.timed('reopen', () => setClosed(context, campaignId, false));
  await change({ batchMax: rules.batchMax, enabled: true });
}

/** Cancels an operation of its own when it is under way, and everything of the other writer that has no answer yet. */
async function cancelUnanswered(campaign: BusyCampaign): Promise<void> {
  const before = await campaign.progress();
  const request = reassign(campaign, { from: 'everyone', to: { texterIds: campaign.texterIds.slice(0, 2) } });
  let isAnswered = false;
  const own = campaign.operate(request).finally(() => (isAnswered = true));
  own.catch(() => undefined);
  await until('progress to cancel', async () => isAnswered || (await campaign.progress()) > before + 1);
  await Promise.all([own, ...campaign.unanswered.map((operationId) => campaign.cancel(operationId))]);
}

function repeated(perSecond: number, act: (campaign: BusyCampaign) => Promise<void>): Writer['write'] {
  return (campaign, isOver) => repeatAtRate(perSecond, isOver, () => act(campaign));
}

/** Every kind of writer of Baton. A new entry is tested beside all others. */
export const WRITERS: readonly Writer[] = [
  { name: 'a reassign of the pool', write: (campaign) => campaign.operate(reassign(campaign, {})) },
  { name: 'an undo', prepare: prepareUndo, write: undo, refusals: ['operation-running'] },
  {
    name: 'a levelling of everyone',
    write: (campaign) => campaign.operate(reassign(campaign, { from: 'everyone', spread: 'level' })),
  },
  { name: 'an unassign of everyone', write: unassignAll },
  { name: 'claims', write: claims(), repeats: true },
  { name: 'claims that wait', write: claims(CLAIM_WAIT_MS), repeats: true },
  { name: 'single moves', write: repeated(PER_SECOND.moves, moveSingle), repeats: true },
  { name: 'lists of chosen conversations', write: repeated(PER_SECOND.lists, moveChosen), repeats: true },
  { name: 'an import', write: importInto, refusals: ['campaign-closed'] },
  {
    name: 'pauses of texters',
    write: repeated(PER_SECOND.pauses, pauseAndResume),
    repeats: true,
    causes: ['texter-inactive', 'target-inactive'],
  },
  {
    name: 'changes of the rules',
    write: repeated(PER_SECOND.rules, changeTheRules),
    repeats: true,
    causes: ['campaign-closed', 'closed-meanwhile', 'self-assign-off'],
  },
  { name: 'cancellations', write: cancelUnanswered, refusals: ['operation-ended', 'unknown-operation'] },
];
