import { badFile } from './mapping-refusals.ts';

interface Kind {
  readonly start: readonly number[] | string;
  readonly what: string;
  readonly remedy: string;
}

const SAVE_AS_CSV =
  'save it as CSV: in Excel with "Save As", "CSV UTF-8"; in Numbers with "Export To", "CSV"; in Google Sheets with "Download", "CSV"';

/** Files that people take for CSV, by their first bytes. */
const KINDS: readonly Kind[] = [
  {
    start: [0x50, 0x4b, 0x03, 0x04],
    what: 'a workbook (Excel, Numbers or LibreOffice) or a zip file',
    remedy: SAVE_AS_CSV,
  },
  { start: [0xd0, 0xcf, 0x11, 0xe0], what: 'an Excel workbook (.xls)', remedy: SAVE_AS_CSV },
  { start: [0x1f, 0x8b], what: 'compressed (gzip)', remedy: 'unpack it first' },
  { start: '%pdf', what: 'a PDF document', remedy: 'export the contacts as CSV' },
  { start: '{\\rtf', what: 'a text document (RTF)', remedy: 'save it as plain text' },
  { start: 'begin:vcard', what: 'a file of vCards', remedy: 'export the contacts as CSV' },
  { start: '[{', what: 'JSON', remedy: 'save the contacts as CSV, or send them to the HTTP API' },
  { start: '{"', what: 'JSON', remedy: 'save the contacts as CSV, or send them to the HTTP API' },
  { start: '<', what: 'a web page or XML', remedy: `open it in a spreadsheet and ${SAVE_AS_CSV}` },
];

const START_CHARS = 64;

/** Throws a `bad-request` refusal for a file that is not text with separators. */
export function refuseOtherKinds(start: Uint8Array): void {
  const kind = KINDS.find((each) => startsWith(start, each.start));
  if (!kind) return;
  throw badFile(`the file is ${kind.what} and not CSV; ${kind.remedy}`, 'a CSV file', kind.what);
}

function startsWith(bytes: Uint8Array, start: Kind['start']): boolean {
  if (typeof start !== 'string') return start.every((byte, at) => bytes[at] === byte);
  const text = Buffer.from(bytes.subarray(0, START_CHARS))
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '');
  return text
    .replace(/^\s+|(?<=^\s*\[)\s+/g, '')
    .toLowerCase()
    .startsWith(start);
}
