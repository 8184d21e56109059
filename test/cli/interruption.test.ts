import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { stoppable } from '../../src/cli/interruption.ts';
import { progressBar } from '../../src/cli/terminal.ts';

describe('a command that Ctrl-C stops', () => {
  afterEach(() => vi.restoreAllMocks());

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
});
