import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { BulkRow } from './bulk.ts';

const NUMBER = new Intl.NumberFormat('en');
const LABEL_PX_MAX = 320;
const [ACCENT, MUTED] = ['#e4701e', '#9fb3c8'];

const sizeOf = (conversations: number): string => `${NUMBER.format(conversations)} conversations`;

/** Draws the rate of every way as a share of the raw updateMany, by size, as an SVG. */
export async function drawPlot(rows: readonly BulkRow[]): Promise<string> {
  const ways = [...new Set(rows.map(({ way }) => way))];
  const sizes = [...new Set(rows.map(({ conversations }) => sizeOf(conversations)))];
  const values = rows.map(({ conversations, way, ofRaw }) => ({
    way,
    ofRaw: ofRaw.median,
    size: sizeOf(conversations),
  }));
  const spec: TopLevelSpec = {
    background: 'white',
    title: 'Conversations per second, as a share of one raw updateMany',
    data: { values },
    facet: {
      row: { field: 'size', sort: sizes, header: { title: null, labelOrient: 'top', labelAnchor: 'start' } },
    },
    spec: {
      width: 420,
      height: { step: 18 },
      encoding: {
        y: { field: 'way', type: 'nominal', sort: ways, title: null, axis: { labelLimit: LABEL_PX_MAX } },
        x: { field: 'ofRaw', type: 'quantitative', title: null },
      },
      layer: [
        {
          mark: 'bar',
          encoding: { color: { condition: { test: "datum.way === 'baton'", value: ACCENT }, value: MUTED } },
        },
        {
          mark: { type: 'text', align: 'left', dx: 4 },
          encoding: { text: { field: 'ofRaw', type: 'quantitative', format: '.2f' } },
        },
      ],
    },
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}
