export { MongoContactStore } from './contact-store.ts';
export { csvRecords } from './csv-reader.ts';
export { EXPORT_COLUMNS, type ExportRow, exportConversations, withoutFormulas } from './export.ts';
export { type ImportOptions, type ImportResult, importContacts } from './import.ts';
export type { ContactStore } from './contact.ts';
