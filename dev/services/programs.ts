import { join } from 'node:path';
import { BIN, inRoot, query, startPostgres } from './postgres.ts';
import { ensureRoot } from './unpacked/build.ts';
import { TEMPLATE } from './unpacked/cache.ts';
import { recipe } from './unpacked/recipe.ts';
import { runTool } from './unpacked/run-tool.ts';

/** The folder with the servers' programs and an empty database ready to be copied; built when it is not there yet. */
export function ensurePrograms(): Promise<string> {
  return ensureRoot(makeTemplate);
}

/** An initialised data folder with the extension in place, copied at each start: that is what makes starting quick. */
async function makeTemplate(root: string): Promise<void> {
  const data = `${TEMPLATE}/data`;
  const logFile = join(root, 'srv', 'template.log');
  await runTool(['chown', String(recipe.serverUid), join(root, TEMPLATE)]);
  await runTool(inRoot(root, [`${BIN}/initdb`, `--pgdata=${data}`, ...recipe.initdb]));
  const server = await startPostgres({ root, data, logFile });
  try {
    await query(server.port, recipe.afterInit);
  } finally {
    await server.stop();
  }
}
