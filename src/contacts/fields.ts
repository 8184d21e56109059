/** What an import reads of a contact. A source gives each field in one column or more, or not at all. */
export const FIELDS = [
  'name',
  'first_name',
  'last_name',
  'phone',
  'external_id',
  'status',
  'assignee_id',
  'assignee',
  'opted_out',
  'opted_in',
  'bad_phone',
  'created_at',
  'waiting_since',
  'last_inbound_at',
  'last_outbound_at',
  'assigned_at',
] as const;

export type Field = (typeof FIELDS)[number];

/** Each column of such a field is read; of another field, only one is. */
export const FIELDS_OF_SEVERAL_COLUMNS: readonly Field[] = ['opted_out', 'opted_in', 'bad_phone'];

const MARKS = /\p{M}/gu;
const NO_WORD = /[^\p{L}\p{N}]/gu;
/** An export of Spoke calls the columns of a contact `contact[cell]`. */
const OF_CONTACT = /^\s*contact\[(.*)\]\s*$/is;

/** Returns a header in the form in which headers are compared: "Cell Phone", "cell_phone" and "CELL-PHONE" are one. */
export function headerKey(header: string): string {
  const inner = OF_CONTACT.exec(header)?.[1] ?? header;
  return inner.normalize('NFKD').replace(MARKS, '').toLowerCase().replace(NO_WORD, '');
}

/**
 * The keys of the headers of each field in exports of texting tools, address books, voter files and CRM systems. A header is
 * compared as a whole: "Texter Cell" is not the phone number of the contact. In a group, each header is as good as another,
 * so two of one group must be chosen between; an earlier group wins over a later one.
 */
export const HEADERS: Readonly<Partial<Record<Field, readonly (readonly string[])[]>>> = {
  name: [['name'], ['fullname'], ['contactname'], ['displayname']],
  first_name: each('firstname', 'first', 'fname', 'givenname', 'forename', 'vorname', 'prenom', 'nombre'),
  last_name: each('lastname', 'last', 'lname', 'surname', 'familyname', 'nachname', 'apellido', 'apellidos', 'nom'),
  external_id: each('externalid', 'vanid', 'voterfilevanid', 'contactid', 'recordid', 'recordidcontact'),
  status: each('messagestatus', 'status'),
  assignee_id: [['assigneeid']],
  assignee: [['assignee']],
  bad_phone: [['ismobilebad', 'isphonebad', 'badnumber', 'wrongnumber']],
  created_at: each('createdat', 'createdate'),
  waiting_since: [['waitingsince']],
  last_inbound_at: [['lastinboundat']],
  last_outbound_at: [['lastoutboundat']],
  assigned_at: [['assignedat']],
};

/** A column of mobile numbers is the only phone column that is read: another one may have a landline or another person. */
export const MOBILE_HEADERS: readonly string[] = [
  ...[
    'cell',
    'cellphone',
    'cellphonenumber',
    'cellnumber',
    'mobile',
    'mobilephone',
    'mobilenumber',
    'mobilephonenumber',
  ],
  ...['handy', 'handynummer', 'mobil', 'mobilnummer', 'mobiltelefon', 'portable', 'movil', 'celular', 'can2phone'],
  ...['telephoneportable', 'telephonemobile', 'telefonomovil', 'mobiltelefonnummer'],
  ...['mobileno', 'cellno', 'phonemobile', 'phonecell', 'smsphone', 'smsphonenumber', 'smsnumber', 'textnumber'],
];

export const PHONE_HEADERS: readonly string[] = [
  ...['phone', 'phonenumber', 'telephone', 'telephonenumber', 'telefon', 'telefono', 'telefonnummer', 'tel', 'number'],
  ...['numerodetelephone', 'numerodetelefono', 'rufnummer'],
  ...['phoneno', 'contactnumber', 'contactphone', 'msisdn', 'prefphone', 'preferredphone', 'bestphone', 'primaryphone'],
];

/** Google Contacts has "Phone 1 - Label" (earlier "Type") and "Phone 1 - Value". */
export const LABELLED_PHONE = /^phone(\d{1,2})value$/;
export const labelKeys = (number: string): readonly string[] => [`phone${number}label`, `phone${number}type`];

/** Columns that a file of rejected rows has in addition. They are not read. */
export const REPORT_COLUMNS = ['baton_line', 'baton_problem'] as const;

function each(...keys: readonly string[]): readonly (readonly string[])[] {
  return keys.map((key) => [key]);
}
