import { afterEach, describe, expect, it } from 'vitest';
import { FORCING_SIGINTS, StopSignals } from '../../src/process/stop-signals.ts';

describe('the signals that stop a worker', () => {
  const exits: number[] = [];
  const stops: string[] = [];
  let signals: StopSignals | undefined;
  afterEach(() => {
    signals?.close();
    exits.length = 0;
    stops.length = 0;
  });

  function begin(isTerminal: boolean): StopSignals {
    signals = new StopSignals(isTerminal, (code) => exits.push(code));
    return signals;
  }

  /** As Node does when the process receives the signal. */
  const receive = (signal: NodeJS.Signals): boolean => process.emit(signal, signal);

  it('count once, and are kept until the worker asks for them', () => {
    const early = begin(false);
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const) receive(signal);
    early.onStop((signal) => stops.push(signal));
    receive('SIGTERM');
    expect({ stops, exits }).toEqual({ stops: ['SIGTERM'], exits: [] });
  });

  it('end the worker by force when a person presses Ctrl-C three times on a terminal', () => {
    begin(true).onStop((signal) => stops.push(signal));
    for (let at = 1; at < FORCING_SIGINTS; at += 1) receive('SIGINT');
    expect(exits).toEqual([]);
    receive('SIGINT');
    expect({ stops, exits }).toEqual({ stops: ['SIGINT'], exits: [130] });
  });

  it('never end the worker by force without a terminal, or by SIGTERM', () => {
    begin(false).onStop(() => undefined);
    for (let at = 0; at < 10; at += 1) receive('SIGINT');
    signals?.close();
    begin(true).onStop(() => undefined);
    for (let at = 0; at < 10; at += 1) receive('SIGTERM');
    expect(exits).toEqual([]);
  });
});
