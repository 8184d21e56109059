import type { mongo } from 'mongoose';
import type { SentCommands } from './sent-commands.ts';

/** The commands of which each is sent after the one before it was answered, or together with others of the same step. */
export type Steps = readonly (readonly string[])[];

/** Timers and the record of a process do not belong to any work. */
const NOT_COUNTED = new Set(['processes', 'schema']);

/** A command also waits when there are too few open connections. Each run opens some. */
const RUNS = 3;

type Work = (context: SentCommands['context'], run: number) => Promise<unknown>;

/** Returns what `work` sends to the database, by the number of answers that it has waited for one after the other. */
export async function roundTripsOf({ context }: SentCommands, work: Work): Promise<Steps> {
  const runs: Steps[] = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await stepsOf(context, () => work(context, run)));
  const fewest = Math.min(...runs.map((steps) => steps.length));
  return runs.findLast((steps) => steps.length === fewest) ?? [];
}

async function stepsOf(context: SentCommands['context'], work: () => Promise<unknown>): Promise<Steps> {
  const { client } = context.database;
  const steps: string[][] = [];
  const running = new Map<number, number>();
  let answered = 0;
  const onStarted = ({ requestId, commandName, command }: mongo.CommandStartedEvent): void => {
    const target: unknown = command[commandName];
    if (NOT_COUNTED.has(String(target))) return;
    running.set(requestId, answered + 1);
    (steps[answered] ??= []).push(typeof target === 'string' ? `${commandName} ${target}` : commandName);
  };
  const onEnded = ({ requestId }: mongo.CommandSucceededEvent | mongo.CommandFailedEvent): void => {
    answered = Math.max(answered, running.get(requestId) ?? 0);
  };
  client.on('commandStarted', onStarted).on('commandSucceeded', onEnded).on('commandFailed', onEnded);
  await work();
  client.off('commandStarted', onStarted).off('commandSucceeded', onEnded).off('commandFailed', onEnded);
  return steps.map((step) => step.sort());
}
