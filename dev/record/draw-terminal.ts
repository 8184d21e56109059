/** A command and what it printed. */
export interface Screenful {
  readonly command: string;
  readonly output: string;
}

const CHARACTER_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const MARGIN = 16;
/** How long each command stays alone on the screen before the next one follows. */
const SECONDS_EACH = 2.5;

/** Draws a terminal in which the commands and their outputs appear one after the other, and then stay. */
export function drawTerminal(screenfuls: readonly Screenful[], columns: number): string {
  let row = 0;
  const groups = screenfuls.map(({ command, output }, index) => {
    const lines = [`$ ${command}`, ...output.split('\n'), ''];
    const texts = lines.map((line) => {
      row += 1;
      return textAt(line, row, line.startsWith('$ ') ? 'command' : 'output');
    });
    return `<g class="step" style="animation-delay:${(index * SECONDS_EACH).toFixed(1)}s">${texts.join('')}</g>`;
  });
  const width = Math.ceil(columns * CHARACTER_WIDTH + 2 * MARGIN);
  const height = row * LINE_HEIGHT + 2 * MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    '<style>text{font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}',
    '.command{fill:#7ee787}.output{fill:#e6edf3}',
    '.step{opacity:0;animation:show .2s forwards}@keyframes show{to{opacity:1}}',
    '@media (prefers-reduced-motion:reduce){.step{opacity:1;animation:none}}</style>',
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...groups,
    '</svg>\n',
  ].join('\n');
}

function textAt(line: string, row: number, kind: string): string {
  if (line === '') return '';
  return `<text class="${kind}" x="${MARGIN}" y="${MARGIN + row * LINE_HEIGHT - 4}" xml:space="preserve">${escaped(line)}</text>`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
