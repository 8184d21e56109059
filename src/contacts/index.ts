export { MongoContactStore } from './contact-store.ts';
export {
  LIFT_OPT_OUT_JOB,
  OPT_OUT_JOB,
  optOutJob,
  type OptOutAnswer,
  type OptOutRequest,
  parseOptOutJob,
} from './contract.ts';
export { csvRecords } from './csv-reader.ts';
export { EXPORT_COLUMNS, type ExportRow, exportConversations, withoutFormula, withoutFormulas } from './export.ts';
export { type ImportOptions, type ImportResult, importContacts } from './import.ts';
export { liftOptOut, optOut } from './opt-out.ts';
export type { ContactStore } from './contact.ts';
