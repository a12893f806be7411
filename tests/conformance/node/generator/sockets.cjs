// Conversations over TCP: a server and its clients, one after the other, and what they say.
//
//   listening ─▶ connection, connect ─▶ data ─▶ data ─▶ ... ─▶ farewell ─▶ end, close ─▶ the next client
//
// Who hears something says the next thing, so at most one write is in flight, and nothing else waits for the poll phase
// meanwhile. A conversation is over before the schedule opens.
'use strict';

const { Moment } = require('./schedule.cjs');

const MOST_BYTES = 900;

const withSockets = (Base) => class extends Base {
  /** A server of which all is closed in the end. */
  conversation(scope) {
    // What a listener throws would keep the next ones from running, and the conversation from its end.
    const inside = this.inner(scope, { moment: Moment.ofEvent(), mayThrow: false, mayThrowInside: true });
    const server = this.name('srv');
    const count = this.random.chance(0.2) ? 2 : 1;
    let next = [];
    let onConnection = [];
    for (let n = count; n > 0; n -= 1) {
      // The body for connections is the same for all: with several, the first thing a client does is to meet it.
      const part = { meetsAtConnection: count === 1, next, isLast: n === count };
      const { start, meet } = this.client(inside, server, n, part);
      [next, onConnection] = [start, meet];
    }
    const listening = this.random.merge(this.eventBody(inside), next);
    return [['listen', server, this.maybeLabel(), listening, [...this.eventBody(inside), ...onConnection]]];
  }

  /**
   * One client's life. `start` makes it, `meet` is what the server does with the connection; `next` follows when a
   * socket of the two has closed.
   */
  client(scope, server, n, { meetsAtConnection, next, isLast }) {
    const near = this.name('c');
    const far = `${server}#${n}`;
    const stop = isLast ? [['closeServer', server, this.maybeLabel(), this.eventBody(scope)]] : [];
    const stopsEarly = this.random.chance(0.3);
    const farewell = [...this.farewell(near, far), ...(stopsEarly ? stop : [])];
    const afterwards = [...(stopsEarly ? [] : stop), ...next];
    const survivor = this.random.pick([near, far]);
    const listenersOn = (socket) => this.socketListeners(scope, socket, socket === survivor ? afterwards : []);

    const start = listenersOn(near);
    const meet = listenersOn(far);
    const greet = this.eventBody(scope);
    const speakers = this.speakers(near, far);
    if (speakers.length === 0) {
      (this.random.chance(0.5) ? greet : meet).push(...farewell);
    } else {
      const { hear, say } = this.speech(scope, speakers, farewell, { near, far });
      const isNearFirst = speakers[0] === near;
      (isNearFirst ? meet : start).push(hear);
      // What is written before the connection stands waits for it.
      const saysEarly = meetsAtConnection && this.random.chance(0.3);
      (isNearFirst ? (saysEarly ? start : greet) : meet).push(say);
    }
    const connected = meetsAtConnection ? greet : [...meet, ...greet];
    start.unshift(['connect', near, server, this.maybeLabel(), connected]);
    return { start, meet: meetsAtConnection ? meet : [] };
  }

  /** Who says something, in this order; most often in turns. */
  speakers(near, far) {
    const count = this.random.weighted([[0, 1], [1, 3], [2, 4], [3, 4], [4, 2], [5, 1]]);
    let last = this.random.pick([near, far]);
    return Array.from({ length: count }, () => {
      const speaker = last;
      if (this.random.chance(0.85)) last = last === near ? far : near;
      return speaker;
    });
  }

  /** What the first of `speakers` says, and how the other one hears it and lets the next speak; then `farewell`. */
  speech(scope, [speaker, ...others], farewell, { near, far }) {
    let follows = farewell;
    if (others.length > 0) {
      const { hear, say } = this.speech(scope, others, farewell, { near, far });
      follows = [hear, say];
    }
    const hearer = speaker === near ? far : near;
    const heard = this.random.merge(this.eventBody(scope), follows);
    const written = this.random.chance(0.3) ? this.eventBody(scope) : null;
    return {
      hear: ['once', hearer, 'data', this.maybeLabel(), heard],
      say: ['write', speaker, this.random.between(1, MOST_BYTES), written],
    };
  }

  /** How one of them, or both, leave. */
  farewell(near, far) {
    const [one, other] = this.random.chance(0.5) ? [near, far] : [far, near];
    const ways = [['end', 5], ['destroy', 3], ['last words', 2], ['both end', 1], ['both destroy', 1]];
    switch (this.random.weighted(ways)) {
      case 'end':
        return [['end', one]];
      case 'destroy':
        return [['destroy', one]];
      case 'last words':
        return [['write', one, this.random.between(1, MOST_BYTES), null], ['end', one]];
      case 'both end':
        return [['end', one], ['end', other]];
      case 'both destroy':
        return [['destroy', one], ['destroy', other]];
    }
  }

  /** Listeners for the rest of the socket's life; `afterwards` when it has closed. */
  socketListeners(scope, socket, afterwards) {
    const listeners = [];
    const listen = (method, event, body) => listeners.push([method, socket, event, this.maybeLabel(), body]);
    if (this.random.chance(0.5)) listen(this.random.pick(['on', 'once']), 'end', this.eventBody(scope));
    if (this.random.chance(0.2)) listen('on', 'data', [this.log()]);
    if (this.random.chance(0.15)) listen('once', 'data', this.eventBody(scope));
    if (this.random.chance(0.2)) listen('on', 'close', this.eventBody(scope));
    if (afterwards.length > 0 || this.random.chance(0.7)) {
      listen('on', 'close', this.random.merge(this.eventBody(scope), afterwards));
    }
    return listeners;
  }

  maybeLabel() {
    return this.random.chance(0.8) ? this.label() : null;
  }

  /** A short one, for there are many. */
  eventBody(scope) {
    if (this.random.chance(0.4)) return [];
    const budget = Math.min(this.budget, this.random.between(0, 6));
    const kept = this.budget - budget;
    this.budget = budget;
    const body = this.body(this.inner(scope, { mayThrow: false }), { most: 2 });
    this.budget += kept;
    return body;
  }
};

module.exports = { withSockets };
