// Compiles a trace program to the source of a CommonJS main script.
//
// Every body becomes a function body, so a statement means what the same line means in JavaScript: errors, `try`,
// `await` and the scope of a caught error are Node's own. What is longer than a line is a function of `world.cjs`.
'use strict';

const quote = JSON.stringify;
const block = (body) => `{ ${(body ?? []).map(statement).join(' ')} }`;
const callback = (body) => `() => { stall(); ${block(body)} }`;
const handler = (body) => (body ? `(error) => ${block(body)}` : 'undefined');
const onFulfilled = (body) => (body ? callback(body) : 'undefined');
const promise = (name) => `promises[${quote(name)}].promise`;
const derive = (name, expression) =>
  name == null ? `${expression};` : `promises[${quote(name)}] = { promise: ${expression} };`;
const combine = (method) => (name, parts) => derive(name, `Promise.${method}([${parts.map(promise).join(', ')}])`);
const label = (text) => quote(text ?? null);

const operations = {
  log: (text) => `log(${quote(text)});`,
  logErr: (text) => `log(${quote(`${text}:`)} + nameOf(error));`,
  busy: (ms) => `busy(${quote(ms)});`,
  throw: (message) => `throw new Error(${quote(message)});`,
  try: (body, onError, last) => {
    const rest = (onError ? ` catch (error) ${block(onError)}` : '') + (last ? ` finally ${block(last)}` : '');
    return rest ? `try ${block(body)}${rest}` : block(body);
  },
  exit: () => 'process.exit(0);',
  nextTick: (body) => `process.nextTick(${callback(body)});`,
  microtask: (body) => `queueMicrotask(${callback(body)});`,

  timeout: (id, ms, body) => `handles[${quote(id)}] = setTimeout(${callback(body)}, ${quote(ms)});`,
  interval: (id, ms, times, body) =>
    `handles[${quote(id)}] = interval(${quote(ms)}, ${quote(times ?? null)}, ${callback(body)});`,
  immediate: (id, body) => `handles[${quote(id)}] = setImmediate(${callback(body)});`,
  clear: (id) => `clear(handles[${quote(id)}]);`,
  refresh: (id) => `handles[${quote(id)}]?.refresh?.();`,
  ref: (id) => `handles[${quote(id)}]?.ref?.();`,
  unref: (id) => `handles[${quote(id)}]?.unref?.();`,

  deferred: (name) => `promises[${quote(name)}] = deferred();`,
  resolve: (name) => `promises[${quote(name)}].resolve();`,
  reject: (name, message) => `promises[${quote(name)}].reject(new Error(${quote(message)}));`,
  adopt: (name, other) => `promises[${quote(name)}].resolve(${promise(other)});`,
  then: (name, ok, err, derived) => derive(derived, `${promise(name)}.then(${onFulfilled(ok)}, ${handler(err)})`),
  finally: (name, body, derived) => derive(derived, `${promise(name)}.finally(${callback(body)})`),
  all: combine('all'),
  race: combine('race'),
  any: combine('any'),
  allSettled: combine('allSettled'),

  task: (name, start, body) => {
    const turn = start === 'queued' ? 'await undefined; ' : '';
    return derive(name, `(async () => { ${turn}${block(body)} })()`);
  },
  turn: () => 'await undefined;',
  await: (name) => `await ${promise(name)};`,
  sleep: (ms, signal) => `await sleep(${quote(ms)}${signal == null ? '' : `, signals[${quote(signal)}].signal`});`,
  yield: () => 'await yieldNow();',
  awaitPool: (kind, text) => `await awaitPool(${quote(kind)}, ${label(text)});`,
  signal: (name) => `signals[${quote(name)}] = new AbortController();`,
  abort: (name) => `signals[${quote(name)}].abort();`,
  onAbort: (name, body) => `signals[${quote(name)}].signal.addEventListener('abort', ${callback(body)});`,

  pool: (kind, text, body) => `pool(${quote(kind)}, ${label(text)}, (failure) => ${poolBody(body)});`,
  listen: (name, text, body, onConnection) =>
    `listen(${quote(name)}, ${label(text)}, ${callback(body)}, ${callback(onConnection)});`,
  connect: (name, server, text, body) =>
    `connect(${quote(name)}, ${quote(server)}, ${label(text)}, ${callback(body)});`,
  on: (name, event, text, body) =>
    `listenTo('on', ${quote(name)}, ${quote(event)}, ${label(text)}, ${callback(body)});`,
  once: (name, event, text, body) =>
    `listenTo('once', ${quote(name)}, ${quote(event)}, ${label(text)}, ${callback(body)});`,
  write: (name, bytes, body) =>
    `handles[${quote(name)}].write(Buffer.alloc(${quote(bytes)})${body ? `, ${callback(body)}` : ''});`,
  end: (name) => `handles[${quote(name)}].end();`,
  destroy: (name) => `handles[${quote(name)}].destroy();`,
  closeServer: (name, text, body) => `closeServer(${quote(name)}, ${label(text)}, ${callback(body)});`,
};

// A failed call is an error that its body received, a successful one leaves the outer error in sight.
function poolBody(body) {
  return `{ const outer = error; { const error = failure ?? outer; ${block(body)} } }`;
}

function statement([operation, ...items]) {
  if (!Object.hasOwn(operations, operation)) throw new SyntaxError(`unknown operation ${quote(operation)}`);
  return operations[operation](...items);
}

/** The body of a function that takes a world and runs `program` in it. */
function compile(program) {
  const emissions = (program.beforeExit ?? []).map(callback).join(', ');
  return `'use strict';
const { handles, promises, signals, log, stall, nameOf, busy, interval, clear, deferred } = world;
const { sleep, yieldNow, awaitPool, pool, listen, connect, listenTo, closeServer } = world;
const error = undefined;
world.install({
  uncaught: ${callback(program.uncaught)},
  unhandled: ${callback(program.unhandled)},
  rejectionHandled: ${callback(program.rejectionHandled)},
  beforeExit: [${emissions}],
  exit: ${callback(program.exit)},
});
${block(program.main)}`;
}

module.exports = { compile };
