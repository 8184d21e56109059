import { readdirSync, readFileSync } from 'node:fs';

interface Row {
  readonly pid: number;
  readonly parent: number;
}

/** Returns the ids of a process and all its descendants, parents first. */
export function processTree(pid: number): readonly number[] {
  const rows = readdirSync('/proc').flatMap(readRow);
  const childrenOf = (parent: number): readonly number[] =>
    rows.filter((row) => row.parent === parent).flatMap((row) => [row.pid, ...childrenOf(row.pid)]);
  return [pid, ...childrenOf(pid)];
}

/** A zombie counts as exited. */
export function isAlive(pid: number): boolean {
  return statOf(String(pid)) !== undefined && statOf(String(pid))?.state !== 'Z';
}

function readRow(name: string): readonly Row[] {
  const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
  return stat === undefined ? [] : [{ pid: Number(name), parent: stat.parent }];
}

function statOf(pid: string): { state: string; parent: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
