export { MongoContactStore } from './contact-store.ts';
export { erase, findPerson } from './erase.ts';
export {
  ERASE_JOB,
  type EraseAnswer,
  LIFT_OPT_OUT_JOB,
  OPT_OUT_JOB,
  personJob,
  type OptOutAnswer,
  type PersonRequest,
  parsePersonJob,
} from './contract.ts';
export { csvRecords } from './csv-reader.ts';
export { EXPORT_COLUMNS, type ExportRow, exportConversations, withoutFormula, withoutFormulas } from './export.ts';
export { type ImportOptions, type ImportResult, importContacts } from './import.ts';
export { liftOptOut, optOut } from './opt-out.ts';
export type { ContactStore } from './contact.ts';
export { RedisPersonInQueues, withPersonInQueues } from './person-in-queues.ts';
