import { Presets, SingleBar } from 'cli-progress';
import type { Place } from '../place.ts';
import { cast, senders } from './stage.ts';

const CONVERSATIONS = 20_000;
const TEXTERS = 25;
/** Where nobody watches the bar, a line of it this often, in milliseconds. */
const LINE_EVERY_MS = 500;

/** The same at the size of a real campaign: deals a full pool to a crowd, with a bar and the rate. */
export async function playCrowd(place: Place, tell: (line: string) => void): Promise<void> {
  const texters = Array.from({ length: TEXTERS }, (_, index) => `Texter ${index + 1}`);
  tell(`importing ${CONVERSATIONS} contacts…`);
  const { campaignId } = await cast(place, 'A campaign of the usual size', texters, contacts());
  const bar = new SingleBar(
    { format: 'reassign all {bar} {value} of {total}', noTTYOutput: true, notTTYSchedule: LINE_EVERY_MS },
    Presets.shades_classic,
  );
  bar.start(CONVERSATIONS, 0);
  const startedAt = performance.now();
  const operationId = place.newId('op');
  const sent = await place.producer.reassign({ operationId, campaignId, from: 'pool', to: 'everyone', status: 'any' });
  const { receipt } = await sent.result({ onProgress: (progress) => bar.update(movedIn(progress)) });
  const seconds = (performance.now() - startedAt) / 1_000;
  bar.update(receipt.moved);
  bar.stop();
  const view = await senders(place, campaignId);
  const each = view.senders.map(({ total }) => total);
  const rate = Math.round(receipt.moved / seconds).toLocaleString('en');
  tell(`${receipt.moved} conversations dealt to ${TEXTERS} texters in ${seconds.toFixed(2)} s: ${rate} a second`);
  tell(`each holds ${[...new Set(each)].sort().join(' or ')}`);
}

function movedIn(progress: unknown): number {
  const moved = typeof progress === 'object' && progress !== null && 'moved' in progress ? progress.moved : 0;
  return typeof moved === 'number' ? moved : 0;
}

function* contacts(): Generator<string[]> {
  yield ['name', 'phone', 'status'];
  for (let index = 0; index < CONVERSATIONS; index += 1) {
    const status = index % 3 === 0 ? 'needs-reply' : 'not-started';
    yield [`Contact ${index}`, `+1555${String(index).padStart(7, '0')}`, status];
  }
}
