import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { BulkRow } from './bulk.ts';

const NUMBER = new Intl.NumberFormat('en');

/** Every way's rate as a share of the raw updateMany's of its run, by size, as an SVG. */
export async function drawPlot(rows: readonly BulkRow[]): Promise<string> {
  const ways = [...new Set(rows.map(({ way }) => way))];
  const sizes = [...new Set(rows.map(({ conversations }) => conversations))].map((size) => NUMBER.format(size));
  const values = rows.map(({ conversations, way, ofRaw }) => ({ way, ofRaw, size: NUMBER.format(conversations) }));
  const spec: TopLevelSpec = {
    background: 'white',
    title: 'Conversations a second, as a share of one raw updateMany',
    data: { values },
    facet: {
      row: { field: 'size', sort: sizes, header: { title: 'conversations', labelAngle: 0, labelAlign: 'left' } },
    },
    spec: {
      width: 420,
      height: { step: 18 },
      encoding: {
        y: { field: 'way', type: 'nominal', sort: ways, title: null },
        x: { field: 'ofRaw', type: 'quantitative', title: null },
      },
      layer: [
        { mark: 'bar', encoding: { color: { field: 'way', type: 'nominal', sort: ways, legend: null } } },
        {
          mark: { type: 'text', align: 'left', dx: 4 },
          encoding: { text: { field: 'ofRaw', type: 'quantitative', format: '.2f' } },
        },
      ],
    },
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
