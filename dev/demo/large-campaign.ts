import { Presets, SingleBar } from 'cli-progress';
import type { Sandbox } from '../sandbox.ts';
import { createDemoCampaign, senders } from './demo-campaign.ts';

const CONVERSATIONS = 20_000;
const TEXTERS = 25;
/** How often the progress is printed where stdout is not a terminal. */
const LINE_EVERY_MS = 500;

/** Deals a pool of the size of a real campaign, with a progress bar, and prints the rate. */
export async function playLargeCampaign(sandbox: Sandbox, print: (line: string) => void): Promise<void> {
  const texters = Array.from({ length: TEXTERS }, (_, index) => `Texter ${index + 1}`);
  print(`importing ${CONVERSATIONS} contacts…`);
  const { campaignId } = await createDemoCampaign(sandbox, 'A large campaign', texters, [...contacts()]);
  const bar = new SingleBar(
    { format: 'reassign all {bar} {value} of {total}', noTTYOutput: true, notTTYSchedule: LINE_EVERY_MS, barsize: 40 },
    Presets.shades_classic,
  );
  bar.start(CONVERSATIONS, 0);
  const startedAt = performance.now();
  const request = {
    operationId: sandbox.newId('op'),
    campaignId,
    from: 'pool',
    to: 'everyone',
    status: 'any',
  } as const;
  const sent = await sandbox.producer.reassign(request);
  const { receipt } = await sent.result({ onProgress: (progress) => bar.update(movedIn(progress)) });
  const seconds = (performance.now() - startedAt) / 1_000;
  bar.update(receipt.moved);
  bar.stop();
  const view = await senders(sandbox, campaignId);
  const totals = [...new Set(view.senders.map(({ total }) => total))].sort((a, b) => a - b);
  const rate = Math.round(receipt.moved / seconds).toLocaleString('en');
  print(`moved ${receipt.moved} conversations to ${TEXTERS} texters in ${seconds.toFixed(2)} s (${rate} per second)`);
  print(`each texter has ${totals.join(' or ')}`);
}

function movedIn(progress: unknown): number {
  const moved = typeof progress === 'object' && progress !== null && 'moved' in progress ? progress.moved : 0;
  return typeof moved === 'number' ? moved : 0;
}

function* contacts(): Generator<string[]> {
  yield ['name', 'phone', 'status'];
  for (let index = 0; index < CONVERSATIONS; index += 1) {
    const status = index % 3 === 0 ? 'needs-reply' : 'not-started';
    yield [`Contact ${index}`, `+1212${2_000_000 + index}`, status];
  }
}
