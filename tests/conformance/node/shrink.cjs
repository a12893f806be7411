// Makes a program smaller as long as it stays interesting.
'use strict';

const SECTIONS = ['exit', 'beforeExit', 'rejectionHandled', 'unhandled', 'uncaught'];

/** The smallest program for which `isInteresting` holds that is found in `seconds`. */
async function shrink(program, isInteresting, seconds = 120) {
  let best = program;
  const end = Date.now() + seconds * 1000;
  const improve = async (candidates) => {
    for (const candidate of candidates(best)) {
      if (Date.now() > end) return false;
      if (await isInteresting(candidate)) {
        best = candidate;
        return true;
      }
    }
    return false;
  };
  while (await improve(smaller));
  return best;
}

/** Programs that lack one part of `program`, those that lack most first. */
function* smaller(program) {
  for (const section of SECTIONS) {
    if (program[section]?.length > 0) yield { ...program, [section]: [] };
  }
  const candidates = [];
  for (const path of statements(program, [])) {
    const statement = at(program, path);
    // Timers that wait for a `busy` would race without it.
    if (statement[0] === 'busy') continue;
    candidates.push([JSON.stringify(statement).length, replaced(program, path, [])]);
    // Other bodies would come to another time, where they might race.
    if (statement[0] === 'nextTick' || statement[0] === 'microtask') {
      candidates.push([statement[0].length, replaced(program, path, statement[1])]);
    }
  }
  candidates.sort(([one], [other]) => other - one);
  for (const [, candidate] of candidates) yield candidate;
}

const isStatement = (value) => Array.isArray(value) && typeof value[0] === 'string';

/** The paths of all statements in `value`. */
function* statements(value, path) {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    // An array of promises looks like a statement; those of a body are in an array of arrays.
    if (isStatement(child) && value.every(Array.isArray)) yield [...path, key];
    yield* statements(child, [...path, key]);
  }
}

function at(value, path) {
  return path.reduce((part, key) => part[key], value);
}

/** A copy of `program` with the statements of `body` in the place of the one at `path`. */
function replaced(program, path, body) {
  const copy = structuredClone(program);
  const parent = at(copy, path.slice(0, -1));
  parent.splice(Number(path.at(-1)), 1, ...structuredClone(body));
  return copy;
}

module.exports = { shrink };
