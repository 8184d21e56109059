import type { OperationInput } from '../domain/inputs.ts';
import type { Producer, Sent } from './producer-port.ts';

/** Sends a request with the method of its kind. */
export async function sendRequest(producer: Producer, request: OperationInput): Promise<Sent> {
  switch (request.kind) {
    case 'reassign':
      return producer.reassign(request);
    case 'unassign':
      return producer.unassign(request);
    case 'reassign-one':
      return producer.reassignOne(request);
    case 'unassign-one':
      return producer.unassignOne(request);
    case 'reassign-list':
      return producer.reassignList(request);
    case 'unassign-list':
      return producer.unassignList(request);
    case 'undo':
      return producer.undo(request);
  }
}
