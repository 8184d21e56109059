import { fittedTable, laidOut } from '../../src/cli/layout.ts';
import { widthOf } from '../../src/cli/terminal.ts';
import { STATUSES } from '../../src/domain/conversation.ts';
import type { SendersView } from '../../src/conversations/views.ts';
import { Sandbox } from '../sandbox.ts';
import { playLargeCampaign } from './large-campaign.ts';
import { playVideo } from './video.ts';

const asJson = process.argv.includes('--json');

/** A pipe and a page of documentation have the width of a common terminal. */
const COLUMNS = 80;
const width = Math.min(widthOf({ env: process.env }, process.stdout), COLUMNS);

const NEXT = `
Try it yourself:
  npm start                          starts services, worker and HTTP API
  npm run -s baton -- --help         lists the commands, in another terminal
  npm run -s baton -- campaign create 'My campaign' --id c1

README.md goes on from there.`;

/** With `--json`, stdout gets only the JSON document. */
function print(line: string): void {
  (asJson ? process.stderr : process.stdout).write(`${line}\n`);
}

function show(title: string, { senders, pool }: SendersView): void {
  const assignees = [...senders.map((sender) => ({ ...sender, label: sender.name ?? '' })), { ...pool, label: 'pool' }];
  const rows = assignees.map(({ label, counts, total }) => [label, ...STATUSES.map((status) => counts[status]), total]);
  print(`\n${title}\n\n${laidOut(fittedTable(['sender', ...STATUSES, 'total'], rows), width)}`);
}

const sandbox = await Sandbox.open('demo');
try {
  await sandbox.setWorkers(1);
  const steps = await playVideo(sandbox, show);
  print('\nThe same at the size of a real campaign\n');
  await playLargeCampaign(sandbox, print);
  print(NEXT);
  if (asJson) process.stdout.write(`${JSON.stringify({ steps })}\n`);
} finally {
  await sandbox.close();
}
