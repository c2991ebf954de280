// Compiles each dashboard as a literal of Grafana's own types: an unknown key or a value of the wrong type is an error.
// Run by `cargo xtask dashboards`; needs `npm ci` in this folder first.

import ts from 'typescript';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(here, '..', 'dashboards');
const names = readdirSync(folder).filter((name) => name.endsWith('.json')).sort();
const literals = new Map(names.map((name) => [
  join(here, name.replace('.json', '.dashboard.ts')),
  `import type { Checked } from './types';\nexport const dashboard: Checked = ${readFileSync(join(folder, name), 'utf8')};\n`,
]));

const options = {
  strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const host = ts.createCompilerHost(options);
const { readFile, fileExists, getSourceFile } = host;
host.fileExists = (path) => literals.has(path) || fileExists(path);
host.readFile = (path) => literals.get(path) ?? readFile(path);
host.getSourceFile = (path, version, ...rest) =>
  literals.has(path) ? ts.createSourceFile(path, literals.get(path), version) : getSourceFile(path, version, ...rest);

const program = ts.createProgram([...literals.keys()], options, host);
const findings = ts.getPreEmitDiagnostics(program);
if (findings.length > 0) {
  console.error(ts.formatDiagnosticsWithColorAndContext(findings, {
    getCanonicalFileName: (name) => name, getCurrentDirectory: () => here, getNewLine: () => '\n',
  }));
  process.exit(1);
}
console.log(`${names.length} dashboards are of Grafana's types: ${names.join(', ')}`);
