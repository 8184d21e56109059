import type { Command } from 'commander';

/** Arguments that show what each command is for. The key is the command without `baton`. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'campaign create': ["'Bartlett 2020' --country US --self-assign"],
  'campaign rules': ["'Bartlett 2020' --self-assign on --batch-max 50"],
  'campaign list': ['--limit 10'],
  'campaign show': ["'Bartlett 2020'"],
  'campaign country': ["'Bartlett 2020' US"],
  'campaign close': ["'Bartlett 2020'"],
  'campaign open': ["'Bartlett 2020'"],
  'campaign rename': ["'Bartlett 2020' 'Bartlett, September'"],
  'campaign remove': ["'Bartlett 2020'"],
  'campaign restore': ['c_bartlett'],
  'texter add': ["'Bartlett 2020' Kevin"],
  'texter pause': ["'Bartlett 2020' Kevin"],
  'texter resume': ["'Bartlett 2020' Kevin"],
  'texter rename': ["'Bartlett 2020' Kevin 'Kevin B.'"],
  'texter remove': ["'Bartlett 2020' Kevin"],
  'texter restore': ["'Bartlett 2020' Kevin"],
  'texter list': ["'Bartlett 2020'"],
  import: [
    "'Bartlett 2020' contacts.csv --country US --preview",
    "'Bartlett 2020' contacts.csv --map phone=Cell --rejected bad.csv",
  ],
  phones: ["'Bartlett 2020'"],
  repair: ["'Bartlett 2020' --status closed --opted-out no"],
  'opt-out': ["'Bartlett 2020' --phone '(202) 555-0101' --country US"],
  'lift-opt-out': ["'Bartlett 2020' --phone +12025550101"],
  erase: ["'Bartlett 2020' --phone +12025550101 --yes"],
  senders: ["'Bartlett 2020'"],
  conversations: ["'Bartlett 2020' --of Kevin --status 'needs reply'"],
  conversation: ["'Bartlett 2020' '(202) 555-0101'"],
  reassign: [
    "'Bartlett 2020' --from pool --to everyone --status any --preview",
    "'Bartlett 2020' --from Kevin --to Rebecca --status any --count 2",
    "'Bartlett 2020' --conversation '+1 202 555 0101' --to Kevin",
  ],
  unassign: ["'Bartlett 2020' --from Rebecca --confirm 4"],
  'self-assign': ["'Bartlett 2020' --texter Kevin --count 10"],
  cancel: ['too-early', "--campaign 'Bartlett 2020' --queued"],
  undo: ['too-early --preview'],
  preview: ["'Bartlett 2020' --from everyone --to everyone --status any"],
  operations: ["'Bartlett 2020' --state running"],
  operation: ['too-early'],
  moves: ['too-early --csv'],
  failed: ["'Bartlett 2020'"],
  retry: ['too-early --yes'],
  export: ["'Bartlett 2020' --out conversations.csv"],
  worker: [''],
  serve: ['--with-worker'],
  'organisation create': ['acme Acme'],
  'organisation list': [''],
  'key create': ['--name platform --scopes read,operations:write'],
  'key list': [''],
  'key revoke': ['0123456789abcdef'],
  'key rotate-signing-key': ['', '--drop'],
  'organisation token-keys': ['acme jwks.json'],
  changes: ['--limit 20'],
  migrate: ['--dry-run'],
  adopt: ['--yes'],
  doctor: [''],
};

/** An option with its value, or another word. Words can be quoted. */
const PART = /--\S+(?: (?!--)(?:'[^']*'|\S+))?|'[^']*'|\S+/g;
const CONTINUED = ' \\';

/** Breaks a command that is too long as a shell reads it, so that people can copy all of its lines. */
function commandLines(command: string, width: number): string {
  if (command.length <= width) return command;
  const lines = [' '];
  for (const part of command.match(PART) ?? []) {
    const joined = `${lines.at(-1) ?? ''} ${part}`;
    if (joined.length + CONTINUED.length <= width) lines[lines.length - 1] = joined;
    else lines.push(`    ${part}`);
  }
  return lines.join(`${CONTINUED}\n`);
}

/** Adds its examples to the help of every command. */
export function addExamples(command: Command, width: number, path: readonly string[] = []): void {
  for (const inner of command.commands) addExamples(inner, width, [...path, inner.name()]);
  const lines = EXAMPLES[path.join(' ')];
  if (!lines) return;
  const title = lines.length === 1 ? 'Example' : 'Examples';
  const examples = lines.map((line) => commandLines(`  baton ${[...path, line].join(' ').trimEnd()}`, width));
  command.addHelpText('after', `\n${title}:\n${examples.join('\n')}`);
}
