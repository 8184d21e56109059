import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { progressBar } from '../../src/cli/terminal.ts';
import { blockImport } from '../support/blocked-conversation.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness } from '../support/harness.ts';
import { phoneOf } from '../support/phones.ts';
import { until } from '../support/until.ts';

interface Imported {
  readonly added: number;
  readonly rejectedCount: number;
}

describe('baton import', () => {
  let harness: Harness;
  let cli: Cli;
  let folder: string;

  beforeAll(async () => {
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
    folder = await mkdtemp(join(tmpdir(), 'baton-import-test-'));
  });
  afterAll(async () => {
    await harness.close();
    await rm(folder, { recursive: true });
  });

  const newCampaign = (country: string | null = 'US'): Promise<string> => harness.seedCampaign(2, { country });
  const countOf = (campaignId: string): Promise<number> =>
    harness.context.database.conversations.countDocuments({ campaignId });
  const exported = async (campaignId: string): Promise<Record<string, string>[]> =>
    parse((await cli.run(['export', campaignId])).out, { columns: true });

  it('shows how columns and first rows are understood, and imports nothing', async () => {
    const campaignId = await newCampaign();
    const text = 'Vorname;Nachname;Handy;Beitrag\nJörg;Groß;(202) 555-0101;12,50\nAna;;none;1\n';
    const preview = await cli.json(['import', campaignId, '-', '--preview'], text);
    expect(preview).toMatchObject({
      file: { encoding: 'utf-8', separator: ';', headerLine: 1 },
      country: 'US',
      columns: { first_name: ['Vorname'], last_name: ['Nachname'], phone: ['Handy'] },
      ignored: ['Beitrag'],
      rows: 2,
      firstRows: [{ line: 2, conversation: { name: 'Jörg Groß', phone: '+12025550101', status: 'not-started' } }],
      rejected: [{ line: 3, field: 'phone' }],
      refusal: null,
    });
    const { out } = await cli.run(['import', campaignId, '-', '--preview'], text);
    expect(out).toMatch(/first_name +Vorname/);
    expect(out).toMatch(/2 +Jörg Groß +\+12025550101/);
    expect(out).toContain('Ignored: Beitrag.');
    expect(await countOf(campaignId)).toBe(0);
  });

  it('shows opt-outs and complete reasons in a narrow terminal', async () => {
    const campaignId = await newCampaign();
    const text =
      'name,phone,status,opt out\nAnnabelle Smith-Jones,+12025550101,awaiting-contact,STOP\nBo,+12025550102,lost,\n';
    const narrow = new Cli({ ...cliEnv(harness.config), COLUMNS: '60' });
    const { out } = await narrow.run(['import', campaignId, '-', '--preview'], text);
    expect(out).toMatch(/Annabelle.* awaiting-contact +yes/);
    expect(out.replace(/\s+/g, ' ')).toContain('line 3 the status must be needs-reply, not-started, in-progress,');
    expect(out.replace(/\s+/g, ' ')).toContain('awaiting-contact, closed, or empty for not-started');
  });

  it('reads the columns that are named, by header or number, and refuses columns that the file does not have', async () => {
    const campaignId = await newCampaign();
    const text = 'Who,Home Phone,Cell,DNC flag?\nAna,2025550101,2025550102,STOP\nBo,2025550103,2025550104,\n';
    const map = ['--map', 'name=Who', '--map', 'phone=home_phone', '--map', 'opted_out=4'];
    expect(await cli.json(['import', campaignId, '-', ...map], text)).toMatchObject({ added: 2, optedOut: 1 });
    expect((await exported(campaignId)).map(({ phone }) => phone)).toEqual(['+12025550101', '+12025550103']);
    for (const wrong of ['phone=Fax', 'phone=9', 'shoe=1', 'phone']) {
      expect(await cli.refusal(['import', campaignId, '-', '--map', wrong], text)).toMatchObject({
        code: 'bad-request',
      });
    }
  });

  it('refuses a column about consent until a person decides, and repeats no row', async () => {
    const campaignId = await newCampaign();
    const text = 'Name,Phone,Email Opt Out\nZora,2025550101,yes\n';
    const refusal = await cli.refusal(['import', campaignId, '-'], text);
    expect(refusal).toMatchObject({ code: 'consent-undecided' });
    expect(refusal.message).toContain('--ignore "Email Opt Out"');
    expect(JSON.stringify(refusal)).not.toMatch(/Zora|2025550101/);
    expect(await cli.json(['import', campaignId, '-', '--ignore', 'email opt out'], text)).toMatchObject({
      added: 1,
      optedOut: 0,
    });
    const map = ['--map', 'opted_out=Email Opt Out'];
    expect(await cli.json(['import', campaignId, '-', ...map], text)).toMatchObject({ added: 0, optedOut: 1 });
  });

  it('refuses a column whose cells say that people want no messages, whatever its header says', async () => {
    const campaignId = await newCampaign();
    const text = 'Name,Phone,can2_sms_status\nAnn,2025550101,subscribed\nZora,2025550102,Unsubscribed\n';
    const refusal = await cli.refusal(['import', campaignId, '-', '--accept-rejected'], text);
    expect(refusal).toMatchObject({ code: 'consent-undecided' });
    expect(refusal.message).toMatch(/^column 3 \("can2_sms_status"\) may say who wants no messages/);
    const { out } = await cli.run(['import', campaignId, '-', '--preview'], text);
    expect(out.replace(/\s+/g, ' ')).toContain('An import would be refused: column 3 ("can2_sms_status")');
    const map = ['--map', 'opted_out=can2_sms_status'];
    expect(await cli.json(['import', campaignId, '-', ...map], text)).toMatchObject({ added: 2, optedOut: 1 });
    const ignored = ['import', campaignId, '-', '--ignore', '3'];
    expect(await cli.json(ignored, text)).toMatchObject({ added: 0, alreadyThere: 2 });
  });

  it('names the columns that may have the phone number when none is known, and repeats no data', async () => {
    const campaignId = await newCampaign();
    const several = await cli.refusal(['import', campaignId, '-'], 'Name,Phone 1,Home phone\nAnn,2025550101,\n');
    expect(several.message).toMatch(
      /--map phone=COLUMN\. It may be column 2 \("Phone 1"\) or column 3 \("Home phone"\)$/,
    );
    const title = await cli.refusal(['import', campaignId, '-'], 'Phone list of Zora\nAnn\n');
    expect(title.message).not.toMatch(/Zora|It may be/);
    const json = await cli.refusal(['import', campaignId, '-'], '[\n  { "name": "Zora" }]');
    expect(json.message).toMatch(/^the file is JSON and not CSV; save/);
  });

  it('writes the bad rows to a file that can be corrected and imported again', async () => {
    const campaignId = await newCampaign();
    const file = join(folder, 'bad.csv');
    const source =
      'phone;name;note\n2025550101;José;x\n555-0102;=Ann;"a;b"\n"Bob";2025550103" x;y\n2025550104;Cleo;z\n';
    const args = ['import', campaignId, '-', '--rejected', file];
    expect(await cli.json(args, source)).toMatchObject({ added: 2, rejectedCount: 2, rejectedFile: file });
    const text = await readFile(file, 'utf8');
    expect(text.split('\n').slice(0, 2)).toEqual([
      '\ufeffphone;name;note;baton_line;baton_problem',
      `555-0102;'=Ann;"a;b";3;the phone number is not valid in the country US`,
    ]);
    await cli.refusal(args, source);
    expect(await readFile(file, 'utf8')).toBe(text);
    const again = join(folder, 'again.csv');
    expect((await cli.run(['import', campaignId, file, '--rejected', again])).status).toBe(1);
    expect(await readFile(again, 'utf8')).toContain('baton_line;baton_problem\n');
    await writeFile(file, text.replace('555-0102', '202-555-0102'));
    const corrected = await cli.json<Imported>(['import', campaignId, file]);
    expect(corrected).toMatchObject({ added: 1, ignored: ['note'] });
    expect((await exported(campaignId)).map(({ name }) => name)).toContain("'=Ann");
    expect(await readdir(folder)).toEqual(['again.csv', 'bad.csv']);
  });

  it('exits with 1 when all rows are bad, and not when some of them are', async () => {
    const campaignId = await newCampaign(null);
    const text = 'name,phone\nAna,2025550101\nBo,2025550102\n';
    const ran = await cli.run(['import', campaignId, '-'], text);
    expect(ran.status).toBe(1);
    expect(ran.out).toContain('All rows are bad.');
    expect(ran.out).toContain('--country');
    expect((await cli.run(['import', campaignId, '-'], `${text}Cy,+12025550103\n`)).status).toBe(0);
  });

  it('refuses a file of which more than a fifth of the phone numbers are bad, and asks whether the country is right', async () => {
    const campaignId = await newCampaign('DE');
    const file = (good: number, bad: number): string => {
      const rows = Array.from({ length: good + bad }, (_, at) => `N,${at < good ? phoneOf(at) : '(202) 555-0101'}\n`);
      return `name,phone\n${rows.join('')}No number,\n`;
    };
    const refusal = await cli.refusal(['import', campaignId, '-'], file(39, 10));
    expect(refusal).toMatchObject({ code: 'phones-doubted', received: '10 of 49 phone numbers cannot be read' });
    expect(refusal.message).toContain('Is DE the country of these numbers?');
    expect(await countOf(campaignId)).toBe(0);
    expect((await cli.run(['import', campaignId, '-', '--preview'], file(39, 10))).out).toContain('would be refused');
    expect(await cli.json(['import', campaignId, '-', '--accept-rejected'], file(39, 10))).toMatchObject({ added: 39 });
    expect(await cli.json(['import', await newCampaign('DE'), '-'], file(40, 10))).toMatchObject({ added: 40 });
    expect(await cli.json(['import', await newCampaign('DE'), '-'], file(10, 38))).toMatchObject({ added: 10 });
    expect(await cli.json(['import', campaignId, '-', '--country', 'US'], file(39, 10))).toMatchObject({ added: 1 });
  });

  it('reads what an export has written, with every field and every name', async () => {
    const from = await newCampaign();
    const rows = [
      `"=cmd|'/c calc'",2025550101,'=id,needs-reply,Texter 1,no,2020-09-01 10:00:00,2020-09-01T10:00:00.123Z,2020-09-02T00:00:00Z`,
      `'=Ann,2025550102,"'''00124",awaiting-contact,t2,no,2020-09-01,,2020-09-03`,
      `"Bo;=1, ""B""",2025550103,-7,closed,,yes,2020-09-01,,`,
      `José 👩‍👩‍👧,2025550104,"=""00125""",,,,,,`,
      `'tWent,2025550105,,in-progress,Texter 2,,,,`,
    ];
    const header = 'name,phone,external_id,status,assignee,opted_out,created_at,last_inbound_at,assigned_at';
    expect(await cli.json(['import', from, '-'], [header, ...rows].join('\n'))).toMatchObject({ added: 5 });
    const docs = async (campaignId: string) => {
      const found = await harness.context.database.conversations
        .find({ campaignId })
        .sort({ 'contact.phone': 1 })
        .toArray();
      return found.map(({ _id, campaignId: _, ...fields }) => fields);
    };
    const file = join(folder, 'export.csv');
    await cli.json(['messages-export', from, '--out', file]);
    expect(await readFile(file, 'utf8')).toContain('awaiting-contact');
    const to = await newCampaign();
    expect(await cli.json(['import', to, file, '--keep-assignees'])).toMatchObject({ added: 5, rejectedCount: 0 });
    expect(await docs(to)).toEqual(await docs(from));
    const withoutIds = (campaignId: string) =>
      exported(campaignId).then((found) => found.map(({ conversation_id: _, ...fields }) => fields));
    expect(await withoutIds(to)).toEqual(await withoutIds(from));
  });

  it('says on Ctrl-C what has been imported, and the same command imports the rest', async () => {
    const campaignId = await newCampaign();
    const rows = 9_000;
    const file = join(folder, 'large.csv');
    await writeFile(file, `name,phone\n${Array.from({ length: rows }, (_, at) => `N,${phoneOf(at)}\n`).join('')}`);
    // The import cannot end before the signal has come.
    const block = await blockImport(harness, campaignId, rows / 3);
    const env = { PATH: process.env['PATH'], ...cliEnv(harness.config) };
    const args = ['--import', 'tsx', 'src/cli/main.ts', 'import', campaignId, file];
    const child = spawn(process.execPath, args, { env, stdio: 'pipe' });
    let out = '';
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await until('the first contacts', async () => (await countOf(campaignId)) > 0);
    child.kill('SIGINT');
    await block.remove();
    expect(await ended).toBe(130);
    expect(out).toMatch(/^Stopped after line \d+ of /);
    const added = await countOf(campaignId);
    expect(out).toContain(`Added ${added} contacts;`);
    expect(added).toBeLessThan(rows);
    const rest = { added: rows - added, alreadyThere: added };
    expect(await cli.json(['import', campaignId, file])).toMatchObject(rest);
  });

  it('leaves the terminal as it was when a signal ends it', () => {
    let text = '';
    const stderr = Object.assign(
      new Writable({
        write: (data: Buffer, _encoding, done) => {
          text += data.toString();
          done();
        },
      }),
      { isTTY: true, columns: 80 },
    );
    const survive = (): void => undefined;
    process.on('SIGINT', survive);
    onTestFinished(() => void process.off('SIGINT', survive));
    const before = process.listenerCount('SIGINT');
    const bar = progressBar({ stderr, stdout: stderr, stdin: process.stdin, env: {} }, 'importing', 1_000_000);
    bar.update(5);
    const [off, on] = ['\u001b[?7l', '\u001b[?7h'];
    expect([text.includes(off), text.includes(on)]).toEqual([true, false]);
    process.emit('SIGINT');
    expect(text.endsWith(on) || text.lastIndexOf(on) > text.lastIndexOf(off)).toBe(true);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
