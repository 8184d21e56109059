import type { Command } from 'commander';
import { Refusal, shown } from '../../domain/errors.ts';
import { askedOf, runOperation, sceneOf, type OperationOptions } from '../bulk.ts';
import type { Answer } from '../output.ts';
import type { Session } from '../session.ts';
import { withOperationOptions } from './reassign.ts';

export function addUndo(program: Command, session: Session): void {
  const command = program
    .command('undo')
    .summary('give back what an operation moved')
    .description('Gives back what an operation or a claim moved and nobody touched since: each to where it was.')
    .argument('<operation>', 'the id of the operation to undo, which may itself be an undo');
  withOperationOptions(command).action(async (undoes: string, options: OperationOptions) =>
    session.answer(await undo(session, undoes, options)),
  );
}

async function undo(session: Session, undoes: string, options: OperationOptions): Promise<Answer> {
  const scene = await sceneOf(session, await campaignOf(session, undoes));
  return runOperation(scene, { kind: 'undo', ...askedOf(scene, options), undoes }, options);
}

/** The campaign of an operation, which people name by its id alone. */
export async function campaignOf(session: Session, operationId: string): Promise<string> {
  const { operationViews } = await session.context();
  const entry = await operationViews.findOperation(operationId);
  if (entry) return entry.campaignId;
  const expected = 'an operation that a worker has taken up';
  throw new Refusal('unknown-operation', { expected, received: shown(operationId) });
}
