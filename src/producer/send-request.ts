import type { OperationRequest, RequestInput } from '../operations/contract.ts';
import type { Producer, Sent } from './producer-port.ts';

/** The producer's methods take requests before defaults, so the checked request needs a cast for each kind. */
export async function sendRequest(producer: Producer, { kind, ...request }: OperationRequest): Promise<Sent> {
  switch (kind) {
    case 'reassign':
      return producer.reassign(request as RequestInput<'reassign'>);
    case 'unassign':
      return producer.unassign(request as RequestInput<'unassign'>);
    case 'reassign-one':
      return producer.reassignOne(request as RequestInput<'reassign-one'>);
    case 'unassign-one':
      return producer.unassignOne(request as RequestInput<'unassign-one'>);
    case 'reassign-list':
      return producer.reassignList(request as RequestInput<'reassign-list'>);
    case 'unassign-list':
      return producer.unassignList(request as RequestInput<'unassign-list'>);
    case 'undo':
      return producer.undo(request as RequestInput<'undo'>);
  }
}
