import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import {
  importContacts,
  jsonSource,
  openNamelessFile,
  piecesOf,
  type ContactSource,
  type ImportEnd,
  type ImportOptions,
  type JsonForm,
  type SourceRow,
} from '../../contacts/index.ts';
import { Refusal } from '../../domain/errors.ts';
import { HttpProblem } from '../problem.ts';
import type { HttpServices } from '../services.ts';
import { receiveBody } from './bodies.ts';
import { RejectedRows } from './rejected-rows.ts';

/** The most rows of one request. */
export const IMPORT_ROWS_MAX = 200_000;

export interface RowsRequest {
  readonly campaignId: string;
  readonly form: JsonForm;
  readonly options: ImportOptions;
}

export interface ImportedRows {
  readonly added: number;
  /** The answer as JSON. */
  readonly answer: Readable;
}

/**
 * Imports the rows of a body. The whole body is received first: an import reads its rows twice, and so a body that is broken,
 * doubtful or cut off has changed nothing. The temporary files have no names, so no end leaves one behind.
 */
export async function importRows(
  { context }: Pick<HttpServices, 'context'>,
  request: FastifyRequest,
  { campaignId, form, options }: RowsRequest,
  signal: AbortSignal,
): Promise<ImportedRows> {
  const body = await openNamelessFile();
  const rejected = await RejectedRows.open();
  let answer: Readable | undefined;
  try {
    await receiveBody(request, body, signal);
    const source = withLimit(jsonSource(() => piecesOf(body), form));
    const imported = importContacts(context, campaignId, source, { ...options, signal, onRejected: rejected.add });
    const end = await imported.catch((error: unknown) => {
      throw inWordsOfHttp(error);
    });
    signal.throwIfAborted();
    answer = Readable.from(answerOf(end, rejected));
    answer.once('close', () => void rejected.close());
    return { added: end.added, answer };
  } finally {
    await body.close();
    if (!answer) await rejected.close();
  }
}

/** Refuses a source with too many rows, or none, while it is read for the first time: before anything is written. */
export function withLimit(source: ContactSource, rowsMax = IMPORT_ROWS_MAX): ContactSource {
  const rows = async function* (): AsyncGenerator<readonly SourceRow[]> {
    let count = 0;
    for await (const some of source.rows()) {
      count += some.length;
      if (count > rowsMax) throw tooManyRows(rowsMax);
      yield some;
    }
    if (count === 0) throw noRows();
  };
  return { columns: source.columns, rows };
}

/** The counts come first. The rejected rows may be many, so they are read from their file while they are sent. */
async function* answerOf(end: ImportEnd, rejected: RejectedRows): AsyncGenerator<Uint8Array> {
  const { added, alreadyThere, optedOut, leftInPool, rejectedCount, preview } = end;
  const counts = { rows: preview.survey.rows, added, alreadyThere, optedOut, leftInPool, rejectedCount };
  yield Buffer.from(`${JSON.stringify(counts).slice(0, -1)},"rejected":[`);
  yield* rejected.pieces();
  yield Buffer.from(']}');
}

/** The refusal of doubtful numbers names options of the command line. */
function inWordsOfHttp(error: unknown): unknown {
  if (!(error instanceof Refusal) || error.code !== 'phones-doubted') return error;
  const { code, expected, received } = error;
  const question = 'Is the country right? Name it as country=US, or set it for the campaign';
  const message = `${received}. ${question}. To import the good rows all the same, use acceptRejected=true`;
  return new Refusal(code, { message, expected, received });
}

export function noRows(): Refusal {
  return new Refusal('bad-request', {
    message: 'the body has no rows',
    expected: 'rows as NDJSON, or a JSON array of rows',
    received: 'none',
  });
}

function tooManyRows(rowsMax: number): HttpProblem {
  return new HttpProblem('too-many-rows', {
    message: `the body has more than ${rowsMax} rows; send them in several requests`,
    expected: `at most ${rowsMax} rows`,
    received: 'more',
  });
}
