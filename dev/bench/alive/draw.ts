import { table } from '../../../src/cli/terminal.ts';
import { drawSpread, spreadOf } from '../spread.ts';
import type { Alive } from './alive.ts';
import type { ClaimsRun } from './beside-claims.ts';
import type { WriteRate, WritesRun } from './beside-writes.ts';
import type { Rate } from './operation.ts';
import type { UndoRun } from './undo.ts';

/** Every figure is a median with the lowest and the highest round. Ratios are taken within a round. */
export function drawAlive({ writes, claims, undos }: Alive): string {
  const drawn = [drawWrites(writes), drawClaims(claims), drawUndos(undos), drawUnfinished(writes, claims, undos)];
  return drawn.filter((text) => text !== '').join('\n\n');
}

function drawWrites(runs: readonly WritesRun[]): string {
  const quiet = runs.filter(({ beside, round }) => beside === 'nothing' && round > 0);
  const rates = [...new Set(runs.map(({ writeRate }) => writeRate))].filter((rate) => rate !== null);
  const rows = rates.map((rate) => writesRow(rate, runs));
  const head = [
    'writes/s asked',
    'sent',
    'same campaign',
    'other campaign',
    'ratio',
    'write p99 ms same',
    'other',
    'ratio',
  ];
  const title = `pool to everyone: ${spread(quiet.map(perSecond), 0)} conversations a second without other writers`;
  return `${title}; beside writes of another program:\n${table(head, rows)}`;
}

function writesRow(rate: WriteRate, runs: readonly WritesRun[]): string[] {
  const same = runs.filter(({ writeRate, beside }) => writeRate === rate && beside === 'same campaign');
  const other = runs.filter(({ writeRate, beside }) => writeRate === rate && beside === 'other campaign');
  const p99 = ({ writes }: WritesRun): number => writes?.p99Ms ?? NaN;
  return [
    rate === 'most' ? 'as many as possible' : String(rate),
    spread(
      [...same, ...other].map(({ writes }) => writes?.perSecond ?? NaN),
      0,
    ),
    spread(same.map(perSecond), 0),
    spread(other.map(perSecond), 0),
    spread(ratios(same, other, perSecond), 2),
    spread(same.map(p99), 0),
    spread(other.map(p99), 0),
    spread(ratios(same, other, p99), 2),
  ];
}

function drawClaims(runs: readonly ClaimsRun[]): string {
  const of = (name: ClaimsRun['beside']) => runs.filter(({ beside }) => beside === name);
  const [quiet, other, same] = [of('nothing'), of('other campaign'), of('same pool')];
  const row = (name: string, own: readonly ClaimsRun[]): string[] => [
    name,
    spread(own.map(perSecond), 0),
    spread(ratios(own, quiet, perSecond), 2),
    spread(
      own.map(({ claims }) => claims),
      0,
    ),
    spread(
      own.map(({ granted }) => granted),
      0,
    ),
    spread(
      own.map(({ p50Ms }) => p50Ms),
      0,
    ),
    spread(
      own.map(({ p99Ms }) => p99Ms),
      0,
    ),
    spread(
      ratios(own, other, ({ p99Ms }) => p99Ms),
      2,
    ),
    spread(
      own.map(({ failed }) => failed),
      0,
    ),
  ];
  const rows = [row('none', quiet), row('on another campaign', other), row('on the same pool', same)];
  const head = ['claims', 'moved/s', 'of quiet', 'claims', 'granted', 'p50 ms', 'p99 ms', 'p99 of other', 'failed'];
  return `pool to everyone beside 20 texters that claim 10 each, again and again:\n${table(head, rows)}`;
}

function drawUndos(runs: readonly UndoRun[]): string {
  const rows = [false, true].map((isAlive) => {
    const own = runs.filter((run) => run.isAlive === isAlive);
    // The writes end when the reassign is cancelled at its time limit. The undo after that is not beside writes.
    const undone = own.filter(({ reassign }) => reassign.hasEnded);
    return [
      isAlive ? '100 writes a second' : 'quiet',
      spread(
        own.map(({ reassign }) => perSecond(reassign)),
        0,
      ),
      spread(
        undone.map(({ undo }) => undo.perSecond),
        0,
      ),
      spread(
        own.map(({ reassign, undo }) => undo.perSecond / reassign.perSecond),
        2,
      ),
    ];
  });
  const head = ['campaign', 'reassign moved/s', 'undo moved/s', 'ratio'];
  return `reassign from 30 texters to 30 others, and its undo:\n${table(head, rows)}`;
}

function drawUnfinished(writes: readonly WritesRun[], claims: readonly ClaimsRun[], undos: readonly UndoRun[]): string {
  const all = [...writes, ...claims, ...undos.flatMap(({ reassign, undo }) => [reassign, undo])];
  const unfinished = all.filter(({ hasEnded }) => !hasEnded).length;
  return unfinished === 0
    ? ''
    : `${unfinished} of ${all.length} operations did not end within the time limit and were cancelled`;
}

function perSecond(rate: Rate): number {
  return rate.perSecond;
}

function ratios<Run extends { readonly round: number }>(
  runs: readonly Run[],
  controls: readonly Run[],
  figure: (run: Run) => number,
): number[] {
  return runs.flatMap((run) => {
    const control = controls.find(({ round }) => round === run.round);
    return control ? [figure(run) / figure(control)] : [];
  });
}

/** Leaves out what could not be measured. */
function spread(values: readonly number[], digits: number): string {
  const known = values.filter((value) => Number.isFinite(value));
  return known.length === 0 ? '' : drawSpread(spreadOf(known), digits);
}
