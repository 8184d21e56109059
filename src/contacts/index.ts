export { MongoContactStore } from './contact-store.ts';
export { erase, findPerson } from './erase.ts';
export {
  ERASE_JOB,
  type EraseAnswer,
  LIFT_OPT_OUT_JOB,
  OPT_OUT_JOB,
  PERSON_JOB_OPTIONS,
  personJob,
  type OptOutAnswer,
  type PersonRequest,
  parsePersonJob,
} from './contract.ts';
export { type CsvChoices, type CsvFile, openCsv } from './csv-file.ts';
export { type ExportRow, exportConversations, exportForm, type RowForm, toCsv } from './export.ts';
export { FIELDS, headerKey, REPORT_COLUMNS } from './fields.ts';
export { withGuard } from './formulas.ts';
export { type ImportEnd, type ImportOptions, type ImportPreview, importContacts, previewImport } from './import.ts';
export { contactRow, jsonKeyOf, type JsonForm, jsonSource } from './json-rows.ts';
export { openNamelessFile, piecesOf, writeAll } from './nameless-file.ts';
export { type ContactSource, sourceOf, type SourceRow } from './source.ts';
export { liftOptOut, optOut } from './opt-out.ts';
export type { ContactStore } from './contact.ts';
export { RedisPersonInQueues, withPersonInQueues } from './person-in-queues.ts';
