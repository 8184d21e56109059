import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { EXAMPLES } from '../../src/cli/examples.ts';
import { runCli } from '../../src/cli/program.ts';

async function helpOf(path: string, columns: number): Promise<string> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const env = { COLUMNS: String(columns) };
  expect(await runCli([...path.split(' '), '--help'].filter(Boolean), { env, stdin, stdout, stderr })).toBe(0);
  return String(stdout.read());
}

/** The names under "Commands:" of a help. */
function commandsIn(help: string): string[] {
  const listed = help.slice(help.indexOf('Commands:')).split('\n\n')[0] ?? '';
  return [...listed.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
}

/** Joins the lines of a command as a shell does, without their indentation. */
function joinedLines(text: string): string {
  return text.replace(/ \\\n */g, ' ');
}

describe('the help of the command line', () => {
  it('shows the arguments of each command as its own help does', async () => {
    for (const { usage } of COMMANDS) {
      const [name = '', ...args] = usage.split(' ');
      const own = await helpOf(name, 80);
      const words =
        own
          .split('\n')[0]
          ?.replace(/^Usage: baton \S+( \[(options|command)\])*/, '')
          .trim() ?? '';
      expect([name, words]).toEqual([name, args.join(' ')]);
    }
  });

  it('has an example for every command', async () => {
    const groups = ['campaign', 'texter', 'organisation', 'key'];
    const top = commandsIn(await helpOf('', 80));
    expect(top.length).toBeGreaterThan(20);
    const missing = top.filter((name) => !groups.includes(name) && EXAMPLES[name] === undefined);
    for (const group of groups) {
      const inner = commandsIn(await helpOf(group, 80)).map((name) => `${group} ${name}`);
      expect(inner.length).toBeGreaterThan(1);
      missing.push(...inner.filter((path) => EXAMPLES[path] === undefined));
    }
    expect(missing).toEqual([]);
  });

  it('fits the terminal also when the command is missing', async () => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    expect(await runCli([], { env: { COLUMNS: '60' }, stdin, stdout, stderr })).toBe(2);
    const help = String(stderr.read());
    expect(help).toContain('Commands:');
    expect(help.split('\n').filter((line) => line.length > 60)).toEqual([]);
  });

  it('fits the terminal, and names only options that the command has', async () => {
    for (const [path, examples] of [['', []] as const, ...Object.entries(EXAMPLES)]) {
      for (const columns of [80, 60]) {
        const help = await helpOf(path, columns);
        expect(help.split('\n').filter((line) => [...line].length > columns)).toEqual([]);
      }
      const help = await helpOf(path, 80);
      for (const example of examples) expect(joinedLines(help)).toContain(`baton ${path} ${example}`.trimEnd());
      for (const option of examples.join(' ').match(/--[a-z-]+/g) ?? []) expect(help).toContain(option);
    }
  });
});
