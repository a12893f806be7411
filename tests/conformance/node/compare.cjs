// Compares `trace` with Node on random programs.
//
//   cargo build -p conformance
//   node compare.cjs [--seed 1] [--count 200] [--family micro] [--trace PATH] [--shrink]
//   node compare.cjs --file FILE.jsonl [...]     the programs of a file instead; a trace in it is not looked at
//
// Node runs each program twice; those that it did not run alike are left out. A mismatch is tried twice more before it
// counts; it is shrunk if asked for. Exit code 1 if there is one.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { generate } = require('./generate.cjs');
const { readLines, sameTrace } = require('./lines.cjs');
const { runAll, runProgram } = require('./run.cjs');
const { shrink } = require('./shrink.cjs');

const DEFAULT_TRACE = path.join(process.env.CARGO_TARGET_DIR ?? path.join(__dirname, '../../../target'), 'debug/trace');
const TRIES = 2; // after the first one
const DEADLINE_MS = 10_000;
// What is left of a program may wait for ever for what was left out.
const SMALLER_DEADLINE_MS = 2_000;

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '200' },
    family: { type: 'string' },
    file: { type: 'string' },
    trace: { type: 'string', default: DEFAULT_TRACE },
    shrink: { type: 'boolean', default: false },
  },
});

/** The traces of `lines` by name. What a crash has lost is run again, without the program that crashed. */
async function runOurs(lines, deadline = DEADLINE_MS) {
  const traces = new Map();
  let rest = lines;
  while (rest.length > 0) {
    const printed = await runBatch(rest, deadline);
    printed.forEach(({ name, trace }) => traces.set(name, trace));
    rest = rest.slice(printed.length + 1);
  }
  return traces;
}

/** The lines printed by one process, which are fewer than `lines` if it crashed or hung. */
function runBatch(lines, deadline) {
  const file = path.join(os.tmpdir(), `compare-${process.pid}.jsonl`);
  fs.writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  return new Promise((resolve, reject) => {
    const child = spawn(options.trace, ['--batch', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const watchdog = setTimeout(() => child.kill(), deadline);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      watchdog.refresh();
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(watchdog);
      fs.rmSync(file);
      resolve(readLines(output));
    });
  });
}

/** Both traces of `line`, or null if they agree in one of `tries` or Node is not sure. */
async function mismatch(line, tries, deadline = DEADLINE_MS) {
  const node = await runProgram(line.program, { deadline }).catch(() => null);
  // What uses a name that was never defined fails differently in both.
  if (node === null || node.some((label) => label.includes('Cannot read'))) return null;
  let ours;
  for (let run = 0; run < tries; run += 1) {
    ours = (await runOurs([line], deadline)).get(line.name) ?? ['(crashed)'];
    if (sameTrace(node, ours)) return null;
    const again = await runProgram(line.program, { deadline }).catch(() => []);
    if (!sameTrace(node, again)) return null;
  }
  return { node, ours };
}

/** Node's traces by name, of the programs that it ran alike both times. */
async function runNode(lines) {
  const [first, second] = [new Map(), new Map()];
  await runAll(lines, (line, trace) => first.set(line.name, trace));
  await runAll(lines, (line, trace) => second.set(line.name, trace));
  const isSure = ([name, trace]) => Array.isArray(trace) && sameTrace(trace, second.get(name) ?? []);
  return new Map([...first].filter(isSure));
}

async function main() {
  const lines = options.file
    ? readLines(fs.readFileSync(options.file, 'utf8'))
    : generate({ seed: Number(options.seed), count: Number(options.count), family: options.family });
  const node = await runNode(lines);
  const sure = lines.filter(({ name }) => node.has(name));
  const ours = await runOurs(sure);
  const tally = { same: 0, flaky: 0, different: 0, unsure: lines.length - sure.length };
  for (const line of sure) {
    if (sameTrace(node.get(line.name), ours.get(line.name) ?? [])) {
      tally.same += 1;
      continue;
    }
    const difference = await mismatch(line, TRIES);
    tally[difference ? 'different' : 'flaky'] += 1;
    if (difference) await show(line, difference);
    else console.log(`${line.name}: flaky`);
  }
  console.log(Object.entries(tally).map(([what, count]) => `${count} ${what}`).join(', '));
  process.exitCode = tally.different > 0 ? 1 : 0;
}

async function show(line, difference) {
  let { program } = line;
  if (options.shrink) {
    const isInteresting = async (candidate) => {
      const found = await mismatch({ ...line, program: candidate }, 1, SMALLER_DEADLINE_MS);
      difference = found ?? difference;
      return found !== null;
    };
    program = await shrink(program, isInteresting);
  }
  const same = difference.node.findIndex((label, index) => label !== difference.ours[index]);
  console.log(`${line.name}: differs at label ${same < 0 ? difference.node.length : same}`);
  console.log(`  program ${JSON.stringify({ name: line.name, program })}`);
  console.log(`  node    ${difference.node.join(' ')}`);
  console.log(`  trace   ${difference.ours.join(' ')}`);
}

main();
