/** What changed on a campaign, for those who watch it: from the workers through Redis to the HTTP servers. */
export {
  type Change,
  type ChangeDraft,
  changedOperation,
  type ChangedOperation,
  changedTexter,
  OMITTED,
  shownOperation,
} from './change.ts';
export {
  compareIds,
  type Entry,
  follows,
  NO_CHANGES,
  type Position,
  readAfter,
  readTail,
  streamKey,
} from './live-stream.ts';
export { ChangePublisher, type LivePublisher } from './publisher.ts';
export { StreamReader, type Topic } from './stream-reader.ts';
