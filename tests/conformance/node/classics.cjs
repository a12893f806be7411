// The puzzles that everybody knows, by hand: what guides, talks and interviews ask about the order of Node's callbacks.
'use strict';

const log = (label) => ['log', label];
const tick = (...body) => ['nextTick', body];
const micro = (...body) => ['microtask', body];
const timeout = (name, ms, ...body) => ['timeout', name, ms, body];
const immediate = (name, ...body) => ['immediate', name, body];
const resolved = (name) => [['deferred', name], ['resolve', name]];
const then = (from, to, ...body) => ['then', from, body, null, to];
const task = (name, ...body) => ['task', name, 'sync', body];

/** A tick that queues the next one, `count` of them. */
const tickChain = (count) => (count === 0 ? [] : [tick(log(`tick ${count}`), ...tickChain(count - 1))]);
const immediateChain = (count) =>
  count === 0 ? [] : [immediate(`i${count}`, log(`immediate ${count}`), ...immediateChain(count - 1))];
const microChain = (count) => (count === 0 ? [] : [micro(log(`microtask ${count}`), ...microChain(count - 1))]);

const mains = {
  'everything-at-once': [
    log('start'), timeout('t', 0, log('timeout')), immediate('i', log('immediate')), ...resolved('p'),
    then('p', null, log('promise')), tick(log('tick')), micro(log('microtask')), ['busy', 5], log('end'),
  ],
  'tick-before-promise': [...resolved('p'), then('p', null, log('promise')), tick(log('tick')), log('main')],
  'tick-inside-promise': [
    ...resolved('p'), then('p', 'q', log('first'), tick(log('tick'))), then('q', null, log('second')),
    then('p', null, log('third')),
  ],
  'promise-inside-tick': [
    tick(log('tick 1'), ...resolved('p'), then('p', null, log('promise'))), tick(log('tick 2')), log('main'),
  ],
  'two-timers-with-microtasks': [
    timeout('a', 1, log('timeout 1'), micro(log('microtask 1')), tick(log('tick 1'))),
    timeout('b', 1, log('timeout 2'), micro(log('microtask 2')), tick(log('tick 2'))), ['busy', 5],
  ],
  'two-immediates-with-microtasks': [
    immediate('a', log('immediate 1'), micro(log('microtask 1')), tick(log('tick 1'))),
    immediate('b', log('immediate 2'), micro(log('microtask 2')), tick(log('tick 2'))),
  ],
  'timeout-or-immediate-after-io': [
    ['pool', 'read', 'file', [timeout('t', 0, log('timeout')), immediate('i', log('immediate')), ['busy', 5]]],
  ],
  'immediate-in-immediate': [
    immediate('a', log('1'), immediate('c', log('3')), tick(log('1 tick'))), immediate('b', log('2')),
  ],
  'timer-in-timer': [
    timeout('a', 1, log('outer'), timeout('b', 1, log('inner')), ['busy', 5], immediate('i', log('immediate'))),
    ['busy', 5],
  ],
  'lists-run-whole': [
    timeout('a', 10, log('A 10')), timeout('b', 4, log('B 4')), timeout('c', 10, log('C 10')),
    timeout('d', 4, log('D 4')), ['busy', 20],
  ],
  'zero-and-one-are-the-same': [
    timeout('a', 1, log('1')), timeout('b', 0, log('0')), timeout('c', 1.9, log('1.9')), timeout('d', -1, log('-1')),
    ['busy', 5],
  ],
  'too-long-becomes-one': [timeout('a', 2147483648, log('2^31')), timeout('b', 5, log('5')), ['busy', 10]],
  'ticks-starve-immediates': [immediate('i', log('immediate')), ...tickChain(6), log('main')],
  'microtasks-starve-timers': [timeout('t', 0, log('timeout')), ...microChain(6), ['busy', 5], log('main')],
  'immediates-starve-nothing': [['pool', 'stat', 'stat', [timeout('t', 10, log('timeout'))]], log('main')],
  'an-immediate-a-turn': [...immediateChain(4), tick(log('tick'))],
  'tick-waits-for-all-microtasks': [
    micro(log('microtask 1'), tick(log('tick')), micro(log('microtask 3'))), micro(log('microtask 2')),
  ],
  'microtask-waits-for-all-ticks': [
    tick(log('tick 1'), micro(log('microtask')), tick(log('tick 3'))), tick(log('tick 2')),
  ],
  'async-function-runs-at-once': [
    log('before'), task('a', log('inside'), ['turn'], log('after await')), log('behind'), tick(log('tick')),
  ],
  'await-in-await': [
    task('outer', log('outer 1'), task('inner', log('inner 1'), ['turn'], log('inner 2')), ['await', 'inner'],
      log('outer 2')),
    ...resolved('p'), then('p', 'q', log('promise 1')), then('q', 'r', log('promise 2')),
    then('r', null, log('promise 3')),
    log('end'),
  ],
  'two-async-functions': [
    task('a', log('a1'), ['turn'], log('a2'), ['turn'], log('a3')),
    task('b', log('b1'), ['turn'], log('b2'), ['turn'], log('b3')), log('main'),
  ],
  'async-script-order': [
    log('script start'), timeout('t', 0, log('setTimeout')),
    task('async1', log('async1 start'), task('async2', log('async2')), ['await', 'async2'], log('async1 end')),
    ...resolved('p'), log('promise1'), then('p', null, log('promise2')), ['busy', 5], log('script end'),
  ],
  'then-chains-interleave': [
    ...resolved('p'), ...resolved('x'),
    then('p', 'q', log('a1')), then('q', 'r', log('a2')), then('r', null, log('a3')),
    then('x', 'y', log('b1')), then('y', 'z', log('b2')), then('z', null, log('b3')),
  ],
  'resolve-with-a-promise-costs-two-turns': [
    ...resolved('p'), ['deferred', 'q'], ['adopt', 'q', 'p'], then('q', null, log('adopted')),
    then('p', 'r', log('1')), then('r', 's', log('2')), then('s', 't', log('3')), then('t', null, log('4')),
  ],
  'finally-passes-on-late': [
    ...resolved('p'), ['finally', 'p', [log('finally')], 'q'], then('q', null, log('after finally')),
    then('p', 'r', log('1')), then('r', 's', log('2')), then('s', 't', log('3')), then('t', null, log('4')),
  ],
  'catch-in-the-middle': [
    ['deferred', 'p'], ['reject', 'p', 'oops'], then('p', 'q', log('skipped')),
    ['then', 'q', null, [['logErr', 'caught']], 'r'], then('r', null, log('goes on')),
  ],
  'all-waits-race-does-not': [
    ['deferred', 'a'], ['deferred', 'b'], ['all', 'all', ['a', 'b']], ['race', 'race', ['a', 'b']],
    then('all', null, log('all')), then('race', null, log('race')), timeout('ta', 10, log('a'), ['resolve', 'a']),
    timeout('tb', 20, log('b'), ['resolve', 'b']),
  ],
  'any-of-the-failed': [
    ['deferred', 'a'], ['deferred', 'b'], ['any', 'any', ['a', 'b']], ['then', 'any', null, [['logErr', 'any']], null],
    ['allSettled', 'settled', ['a', 'b']], then('settled', null, log('settled')),
    ['reject', 'a', 'A'], ['reject', 'b', 'B'],
  ],
  'interval-three-times': [['interval', 'v', 10, 3, [log('interval'), micro(log('microtask')), tick(log('tick'))]]],
  'interval-longer-than-its-period': [['interval', 'v', 10, 3, [log('interval'), ['busy', 15]]]],
  'clear-a-sibling': [
    timeout('a', 1, log('a'), ['clear', 'b']), timeout('b', 1, log('b')), timeout('c', 1, log('c')), ['busy', 5],
  ],
  'clear-a-sibling-immediate': [
    immediate('a', log('a'), ['clear', 'b']), immediate('b', log('b')), immediate('c', log('c')),
  ],
  'an-unreferenced-timer-alone': [timeout('t', 10, log('never')), ['unref', 't'], log('main')],
  'an-unreferenced-immediate-alone': [immediate('i', log('never')), ['unref', 'i'], log('main')],
  'an-unreferenced-timer-in-company': [
    timeout('t', 10, log('unreferenced')), ['unref', 't'], timeout('u', 20, log('referenced')),
  ],
  'refresh-is-an-idle-timeout': [
    timeout('idle', 50, log('idle')), timeout('a', 20, log('busy'), ['refresh', 'idle']),
    timeout('b', 40, log('busy'), ['refresh', 'idle']), timeout('c', 60, log('done')),
  ],
  'sleep-and-abort': [
    ['signal', 's'], task('a', ['try', [['sleep', 50, 's'], log('slept')], [['logErr', 'woken']], [log('finally')]]),
    timeout('t', 10, log('abort'), ['abort', 's'], log('aborted')),
  ],
  'yield-lets-others-in': [
    task('a', log('a1'), ['yield'], log('a2'), ['yield'], log('a3')),
    immediate('i', log('immediate')), tick(log('tick')),
  ],
  'a-file-and-a-timer': [
    ['pool', 'read', 'file', [immediate('i', log('immediate')), tick(log('tick')), micro(log('microtask'))]],
    timeout('t', 50, log('timeout')), log('main'),
  ],
  'a-missing-file': [['pool', 'readMissing', 'file', [['logErr', 'error'], tick(log('tick'))]], log('main')],
  'echo-once': [
    ['listen', 'srv', 'listening', [
      ['connect', 'c', 'srv', 'connected', [['write', 'c', 5, [log('written')]]]],
      ['on', 'c', 'data', 'echo', [['end', 'c']]], ['on', 'c', 'close', 'client closed', []],
    ], [
      log('connection'), ['on', 'srv#1', 'data', 'heard', [['write', 'srv#1', 5, null]]],
      ['on', 'srv#1', 'end', 'ended', []],
      ['on', 'srv#1', 'close', 'server side closed', [['closeServer', 'srv', 'server closed', []]]],
    ]],
    log('main'),
  ],
  'close-waits-for-connections': [
    ['listen', 'srv', 'listening', [
      ['connect', 'c', 'srv', 'connected', [immediate('i', log('destroy'), ['destroy', 'c'])]],
      ['on', 'c', 'close', 'closed', []],
    ], [log('connection'), ['closeServer', 'srv', 'server closed', [log('last')]], log('still open')]],
  ],
};

const programs = {
  ...Object.fromEntries(Object.entries(mains).map(([name, main]) => [name, { main }])),
  'an-error-in-a-tick': {
    main: [tick(log('tick 1'), ['throw', 'oops']), tick(log('tick 2')), micro(log('microtask')),
      immediate('i', log('immediate'))],
    uncaught: [log('handler')],
  },
  'an-error-in-the-first-timer': {
    main: [timeout('a', 1, tick(log('tick')), ['throw', 'oops']), timeout('b', 1, log('b')), ['busy', 5]],
  },
  'an-error-in-the-first-immediate': {
    main: [immediate('a', tick(log('tick')), ['throw', 'oops']), immediate('b', log('b')), immediate('c', log('c'))],
  },
  'an-error-in-the-last-immediate': {
    main: [immediate('a', tick(log('tick')), micro(log('microtask')), ['throw', 'oops'])],
    uncaught: [immediate('b', log('first of the handler')), immediate('c', log('second of the handler'))],
  },
  'an-error-in-main': {
    main: [tick(log('tick')), micro(log('microtask')), immediate('i', log('immediate')), ['throw', 'oops'],
      log('never')],
  },
  'nobody-handles-it': {
    main: [['deferred', 'p'], ['reject', 'p', 'oops'], tick(log('tick')), micro(log('microtask')), log('main')],
    unhandled: [log('reported')],
  },
  'handled-while-the-batch-is-reported': {
    main: [['deferred', 'p'], ['deferred', 'q'], ['reject', 'q', 'one'], ['reject', 'p', 'other']],
    unhandled: [log('reported'), ['then', 'p', null, [['logErr', 'caught']], null]],
    rejectionHandled: [log('never')],
  },
  'handled-too-late': {
    main: [['deferred', 'p'], ['reject', 'p', 'oops'],
      immediate('i', log('immediate'), ['then', 'p', null, [['logErr', 'caught']], null])],
    rejectionHandled: [log('handled after all')],
  },
  'handled-just-in-time': {
    main: [['deferred', 'p'], ['reject', 'p', 'oops'], micro(['then', 'p', null, [['logErr', 'caught']], null])],
  },
  'an-async-function-that-throws': {
    main: [task('a', ['turn'], ['throw', 'oops']), tick(log('tick')), log('main')],
  },
  'before-exit-revives': {
    main: [log('main')],
    beforeExit: [[log('before exit 1'), timeout('t', 1, log('timeout'))], [log('before exit 2'), tick(log('tick'))]],
    exit: [log('exit'), tick(log('never'))],
  },
  'exit-drops-what-is-queued': {
    main: [timeout('t', 0, log('never')), tick(log('never')), log('main'), ['exit'], log('never')],
    exit: [log('exit')],
  },
  'exit-in-a-tick': {
    main: [tick(log('tick 1'), ['exit']), tick(log('never')), micro(log('never'))],
    exit: [log('exit')],
  },
};

function classics() {
  return Object.entries(programs).map(([name, program]) => ({ name: `classics-${name}`, family: 'classics', program }));
}

if (require.main === module) for (const line of classics()) console.log(JSON.stringify(line));

module.exports = { classics };
