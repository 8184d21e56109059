export { MongoContactStore } from './contact-store.ts';
export { EXPORT_COLUMNS, type ExportRow, exportConversations, withoutFormulas } from './export.ts';
export { type FileRecord, type ImportResult, importContacts } from './import.ts';
export type { ContactStore } from './ports.ts';
