import { Types } from 'mongoose';
import { STATUSES } from '../../../src/domain/conversation.ts';
import { until } from '../../support/until.ts';
import type { BusyCampaign } from './busy-campaign.ts';
import { repeatAtRate } from './rate.ts';
import type { Writer } from './writers.ts';

const CONNECTIONS = 4;
const UPDATES_PER_SECOND = 200;
const OPT_OUTS_SHARE = 0.01;

/** Updates a random conversation, as the program in which texters work does. */
async function updateOne(campaign: BusyCampaign): Promise<void> {
  const { random, assignees, harness } = campaign;
  const _id = new Types.ObjectId(random.pick([...assignees.keys()]));
  const changes = { status: random.pick(STATUSES), waitingSince: new Date() };
  const $set = random.chance(OPT_OUTS_SHARE) ? { ...changes, optedOut: true } : changes;
  await campaign.timed('update of one', () => harness.context.database.conversations.updateOne({ _id }, { $set }));
}

/** Updates every conversation in one statement when the other writer is under way. */
async function updateAll(campaign: BusyCampaign, isOver: () => boolean): Promise<void> {
  const { campaignId, harness } = campaign;
  const before = await campaign.progress();
  await until('the other writer to be under way', async () => isOver() || (await campaign.progress()) > before);
  const $set = { waitingSince: new Date() };
  await campaign.timed('update of all', () =>
    harness.context.database.conversations.updateMany({ campaignId }, { $set }),
  );
  campaign.freeAt = performance.now();
}

/** What other programs write beside Baton. Each is tested beside every writer of Baton. */
export const OTHER_PROGRAMS: readonly Writer[] = [
  {
    name: 'random updates by another program',
    write: async (campaign, isOver) => {
      const rate = UPDATES_PER_SECOND / CONNECTIONS;
      const writing = Array.from({ length: CONNECTIONS }, () => repeatAtRate(rate, isOver, () => updateOne(campaign)));
      await Promise.all(writing);
    },
    repeats: true,
    isOutside: true,
  },
  { name: 'an update of the whole campaign by another program', write: updateAll, isOutside: true },
];
