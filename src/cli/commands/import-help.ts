import { FIELDS } from '../../contacts/index.ts';

const PARAGRAPHS = [
  'The file is CSV with a header line. Separator and encoding are detected. Columns are found by the names that ' +
    'spreadsheets, address books, voter files and texting tools give them, such as First Name, Last Name and Cell; ' +
    `other columns are ignored and listed. --map names the column of a field. The fields are ${FIELDS.join(', ')}. A ` +
    'name, or first and last name, and a phone number are needed. What `baton export` writes can be imported.',
  'All rows are checked first. If a file has 50 rows or more and more than a fifth of its phone numbers cannot be ' +
    'read, it is refused: the country or the column is probably wrong. Otherwise bad rows are reported, and the other ' +
    'rows are added. A contact whose phone number the campaign already has does not change, so importing a file twice ' +
    'adds nothing.',
  'Phone numbers are stored in one form, such as +12025550199, however the file writes them. Numbers without a ' +
    'country code are read as numbers of the country of the campaign (`baton campaign country`), or of --country ' +
    'for this file. There is no default: a wrong country would turn a number into the number of another person. A ' +
    'file with a column of mobile numbers is read by this column only: another phone number may be a landline, or ' +
    "another person's.",
  'An opt-out holds in any row and is never lifted by an import: a contact of the campaign is opted out if one row ' +
    'of their number says so, even if this row is bad for another reason. To lift an opt-out, use `baton ' +
    'lift-opt-out`. A file with another column that speaks of consent, in its header or its cells, is refused until --map or --ignore says what ' +
    'it is.',
  'The assignee (a texter by id or exact name; empty: the pool) follows the rules of reassign: a row whose assignee ' +
    'is paused is rejected, and a contact who opted out stays in the pool. --keep-assignees brings in the assignments ' +
    'of another system as they are.',
  'A row whose external id belongs to a contact with another phone number is rejected: a second conversation could ' +
    'go to another texter. If a household has one id for several numbers, use --shared-ids.',
];

/** Each paragraph is one line: the terminal decides where it is broken. */
export const IMPORT_HELP = `\n${PARAGRAPHS.join('\n\n')}`;
