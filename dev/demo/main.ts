import { table } from '../../src/cli/terminal.ts';
import { STATUSES } from '../../src/domain/conversation.ts';
import type { SendersView } from '../../src/conversations/views.ts';
import { playCrowd } from './crowd.ts';
import { Place } from '../place.ts';
import { playVideo } from './video.ts';

const asJson = process.argv.includes('--json');

/** With `--json`, stdout is for its one line. */
function tell(line: string): void {
  (asJson ? process.stderr : process.stdout).write(`${line}\n`);
}

function show(title: string, { senders, pool }: SendersView): void {
  const assignees = [...senders.map((sender) => ({ ...sender, label: sender.name ?? '' })), { ...pool, label: 'pool' }];
  const rows = assignees.map(({ label, counts, total }) => [label, ...STATUSES.map((status) => counts[status]), total]);
  tell(`\n${title}\n${table(['sender', ...STATUSES, 'total'], rows)}`);
}

const place = await Place.open('demo');
try {
  await place.setWorkers(1);
  const steps = await playVideo(place, show);
  tell('\nThe same at the size of a real campaign');
  await playCrowd(place, tell);
  if (asJson) process.stdout.write(`${JSON.stringify({ steps })}\n`);
} finally {
  await place.close();
}
