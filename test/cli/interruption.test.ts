import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { EXIT_STOPPED, stoppable } from '../../src/cli/interruption.ts';
import { runCli } from '../../src/cli/program.ts';
import { progressBar } from '../../src/cli/terminal.ts';
import { Cli, cliEnv } from '../support/cli.ts';
import { Harness, many } from '../support/harness.ts';
import { until } from '../support/until.ts';

describe('a command that Ctrl-C stops', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it('says itself what it has done when its progress bar is shown', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const streams = [
      new PassThrough(),
      new PassThrough(),
      Object.assign(new PassThrough(), { isTTY: true, columns: 80 }),
    ];
    const [stdin, stdout, stderr] = streams as [PassThrough, PassThrough, PassThrough];
    const isStopped = await stoppable((signal) => {
      const bar = progressBar({ env: {}, stdin, stdout, stderr }, 'importing', 10);
      process.emit('SIGINT');
      bar.stop();
      return Promise.resolve(signal.aborted);
    });
    expect(isStopped).toBe(true);
    expect(kill).not.toHaveBeenCalled();
    const switchesOnWrapping = '\u001b[?7h';
    expect(String(stderr.read())).toContain(switchesOnWrapping);
  });

  it('counts a signal once that npm passes on, and ends at once when a person presses Ctrl-C again', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    await stoppable((signal) => {
      process.emit('SIGINT');
      process.emit('SIGINT');
      expect({ isStopped: signal.aborted, kills: kill.mock.calls }).toEqual({ isStopped: true, kills: [] });
      vi.advanceTimersByTime(1_000);
      process.emit('SIGINT');
      return Promise.resolve();
    });
    expect(kill.mock.calls).toEqual([[process.pid, 'SIGINT']]);
  });
});

describe('a command without a worker', () => {
  let harness: Harness;
  let cli: Cli;
  beforeAll(async () => {
    harness = await Harness.open();
    cli = new Cli(cliEnv(harness.config));
  });
  afterAll(() => harness.close());
  afterEach(() => vi.restoreAllMocks());

  it('says before Ctrl-C ends it that the operation may continue, and how to look it up', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const campaignId = await harness.seedCampaign(1);
    const listeners = process.listenerCount('SIGINT');
    const move = ['reassign', campaignId, '--from', 'pool', '--to', 't1', '--status', 'any', '--id', 'left'];
    const ran = cli.run([...move, '--wait', '1']);
    await until('the command to wait', () => process.listenerCount('SIGINT') > listeners);
    process.emit('SIGINT');
    expect(kill.mock.calls).toEqual([[process.pid, 'SIGINT']]);
    expect((await ran).err).toMatch(/^baton: the operation may continue\. .*: baton operation left\n/);
  });

  it('says that the output of an export is incomplete when Ctrl-C stops it', async () => {
    const campaignId = await harness.seedCampaign(1);
    await harness.seedConversations(campaignId, many(3));
    const stdout = new PassThrough({ highWaterMark: 1 });
    const stderr = new PassThrough();
    const terminal = { env: cliEnv(harness.config), stdin: new PassThrough(), stdout, stderr };
    const status = runCli(['export', campaignId], terminal);
    await once(stdout, 'readable');
    process.emit('SIGINT');
    expect(await status).toBe(EXIT_STOPPED);
    expect(String(stderr.read())).toBe('baton: stopped; the output is incomplete\n');
  });
});
