// Draws the dashboards to PNG files with Grafana's own panel components, without a Grafana.
//
//   npm ci && node draw.mjs --sample --out pictures             a made-up campaign (needs prometheus, promtool, chromium)
//   node draw.mjs --prometheus http://127.0.0.1:9090 --campaign autumn --hours 6 --out pictures
//
// Options: --width 1280 (390 draws a phone), --theme light|dark, --only campaign. Run by `cargo xtask draw`.

import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sample } from './sample.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values: given } = parseArgs({ options: {
  sample: { type: 'boolean', default: false }, prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
  campaign: { type: 'string' }, hours: { type: 'string' }, out: { type: 'string', default: 'pictures' },
  width: { type: 'string', default: '1280' }, theme: { type: 'string', default: 'light' }, only: { type: 'string' },
} });
const width = Number(given.width);
const work = mkdtempSync(join(tmpdir(), 'postroad-draw-'));

async function api(base, path, parameters) {
  const answer = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (body.status !== 'success') throw new Error(`${parameters.query}: ${body.error}`);
  return body.data;
}

/** The values of the dashboard's variables: the campaign that was named or the first, everything else. */
async function variables(base, dashboard) {
  const chosen = {};
  for (const v of dashboard.templating.list.filter((v) => v.type === 'query')) {
    chosen[v.name] = v.allValue ?? '.+';
    if (v.name === 'campaign') {
      const names = await api(base, 'label/campaign/values', { 'match[]': 'postroad_campaign_info' });
      chosen.campaign = given.campaign ?? (v.multi ? '.+' : names.at(0) ?? 'none');
    }
  }
  return chosen;
}

/** A CommonJS package whose default export esbuild would hand to ES modules wrapped twice. */
const scrollbars = {
  name: 'scrollbars',
  setup(build) {
    build.onResolve({ filter: /^react-custom-scrollbars-2$/ }, ({ namespace, path }) => (namespace === 'scrollbars' ? undefined : { path, namespace: 'scrollbars' }));
    build.onLoad({ filter: /.*/, namespace: 'scrollbars' }, () => ({
      contents: "const { Scrollbars } = require('react-custom-scrollbars-2'); module.exports = Scrollbars;", resolveDir: here,
    }));
  },
};

const legend = (format, labels) => format === '__auto' ? Object.values(labels).join(' ') : format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');
const number = (text) => (text === 'NaN' ? null : Number(text));

async function ask(base, target, chosen, from, to) {
  const step = Math.max(15, Math.ceil((to - from) / 1000 / 500));
  const expression = target.expr
    .replaceAll('$__rate_interval', `${Math.max(60, step + 15)}s`).replaceAll('$__range', `${Math.round((to - from) / 1000)}s`)
    .replace(/\$(campaign|relay|provider)\b/g, (_, name) => chosen[name]);
  const data = target.instant
    ? await api(base, 'query', { query: expression, time: to / 1000 })
    : await api(base, 'query_range', { query: expression, start: from / 1000, end: to / 1000, step });
  return data.result.map(({ metric, value, values }) => {
    const { __name__, ...labels } = metric;
    const points = values ?? [value];
    return { labels, legend: legend(target.legendFormat, labels) || target.refId, times: points.map(([t]) => t * 1000), values: points.map(([, v]) => number(v)) };
  });
}

async function draw(base, name, now, hours) {
  const dashboard = JSON.parse(readFileSync(join(here, '..', 'dashboards', `${name}.json`), 'utf8'));
  const [from, to] = [now - hours * 3_600_000, now];
  const chosen = await variables(base, dashboard);
  const results = {};
  let [asked, empty] = [0, []];
  for (const panel of dashboard.panels.filter((p) => p.type !== 'row')) {
    for (const target of panel.targets) {
      const found = await ask(base, target, chosen, from, to);
      results[`${panel.id}.${target.refId}`] = found;
      asked += 1;
      if (found.length === 0) empty.push(`${panel.title} ${target.refId}`);
    }
  }
  const page = join(work, `${name}.html`);
  const drawing = JSON.stringify({ dashboard, results, from, to, width: width - 32, theme: given.theme }).replaceAll('<', '\\u003c');
  writeFileSync(page, `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="panels.css"><div id="root"></div><script>window.DRAWING = ${drawing};</script><script type="module" src="panels.js"></script>`);
  const bottom = dashboard.panels.map((p) => p.gridPos.y + p.gridPos.h);
  const height = width < 801 ? dashboard.panels.reduce((sum, p) => sum + p.gridPos.h * 38, 32) : Math.max(...bottom) * 38 + 24;
  const picture = join(resolve(given.out), `${name}${width < 801 ? '-phone' : ''}.png`);
  mkdirSync(dirname(picture), { recursive: true });
  const said = spawnSync('chromium', ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--allow-file-access-from-files',
    `--user-data-dir=${join(work, 'chromium')}`, '--virtual-time-budget=15000', `--window-size=${Math.max(width, 500)},${height}`,
    `--screenshot=${picture}`, '--enable-logging=stderr', `file://${page}`], { encoding: 'utf8' });
  const errors = said.stderr.split('\n').filter((line) => /CONSOLE.*(error|Error)/.test(line));
  if (said.status !== 0 || errors.length > 0) throw new Error(`Chromium could not draw ${name}:\n${errors.join('\n') || said.stderr}`);
  console.log(`${picture}: ${asked} queries, ${empty.length} without data${empty.length ? ` (${empty.join(', ')})` : ''}`);
}

const made = given.sample ? await sample(work) : null;
try {
  await build({ entryPoints: [join(here, 'panels.jsx')], bundle: true, format: 'esm', outfile: join(work, 'panels.js'), jsx: 'automatic',
    minify: true, define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'window' }, loader: { '.svg': 'text', '.woff2': 'dataurl', '.ttf': 'empty' }, logLevel: 'error', plugins: [scrollbars] });
  const base = made?.base ?? given.prometheus;
  const names = given.only ? [given.only] : readdirSync(join(here, '..', 'dashboards')).map((file) => file.replace('.json', ''));
  for (const name of names) await draw(base, name, made?.now ?? Date.now(), Number(given.hours ?? made?.hours ?? 6));
} finally {
  made?.stop();
  if (existsSync(work)) rmSync(work, { recursive: true, force: true });
}
