// All pictures of the page over one connection. It is opened anew when other cameras are wanted,
// and by itself when it breaks, after a pause that grows.

import { Parts } from './parts.js';
import { here } from './text.js';

const SETTLE_MS = 120; // until the cameras wanted stay the same
const MOST_BYTES = 6600; // of ids in one request
const PAUSE_MS = [500, 1000, 2000, 4000, 8000];

async function reasonOf(answer) {
  try {
    return (await answer.json()).error || `status ${answer.status}`;
  } catch {
    return `status ${answer.status}`;
  }
}

export class Live {
  #onPart; // (id, fields, pieces)
  #onStatus; // ({ state: 'off' | 'opening' | 'open' | 'lost', reason, code, retryAt })
  #wanted = '';
  #plain = ''; // the same without wishes
  #paused = false;
  #controller = null;
  #failures = 0; // in a row
  #timer = 0;

  constructor(onPart, onStatus) {
    this.#onPart = onPart;
    this.#onStatus = onStatus;
  }

  // The pictures of these cameras, as `wishes` in the query say, or as they are if that can't be
  // had.
  show(ids, wishes = '') {
    let some = ids.join(',');
    if (some.length > MOST_BYTES)
      some = some.slice(0, some.lastIndexOf(',', MOST_BYTES));
    this.#plain = some && 'live?info=1&cameras=' + some;
    const wanted = this.#plain && this.#plain + wishes;
    if (this.#wanted === wanted || this.#paused) {
      this.#wanted = wanted;
      return;
    }
    this.#wanted = wanted;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.retry(), SETTLE_MS);
  }

  // Now, whatever was agreed on before.
  retry() {
    clearTimeout(this.#timer);
    this.#controller?.abort();
    this.#controller = null;
    if (this.#wanted && !this.#paused)
      this.#run(this.#wanted, this.#controller = new AbortController());
    else
      this.#onStatus({ state: 'off' });
  }

  pause(paused) {
    this.#paused = paused;
    this.retry();
  }

  async #run(url, controller) {
    this.#onStatus({ state: 'opening' });
    try {
      let answer = await fetch(here(url), { signal: controller.signal, cache: 'no-store' });
      if (answer.status === 503 && url !== this.#plain)
        answer = await fetch(here(this.#plain), { signal: controller.signal, cache: 'no-store' });
      if (!answer.ok)
        throw Object.assign(new Error(await reasonOf(answer)), { code: answer.status });
      if (controller !== this.#controller)
        return;
      this.#onStatus({ state: 'open' });
      const parts = new Parts((fields, pieces) => this.#take(fields, pieces, controller));
      const reader = answer.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (controller !== this.#controller)
          return;
        if (done)
          throw new Error('the server closed the connection');
        parts.push(value);
      }
    } catch (error) {
      const reason = error instanceof TypeError ? 'the server does not answer' : error.message;
      if (controller === this.#controller)
        this.#lost(reason, error.code);
      controller.abort();
    }
  }

  #take(fields, pieces, controller) {
    if (controller !== this.#controller)
      return;
    this.#failures = 0;
    this.#onPart(fields['x-camera'], fields, pieces);
  }

  #lost(reason, code) {
    const step = Math.min(this.#failures++, PAUSE_MS.length - 1);
    const pause = PAUSE_MS[step] * (0.8 + 0.4 * Math.random());
    this.#controller = null;
    this.#onStatus({ state: 'lost', reason, code, retryAt: performance.now() + pause });
    this.#timer = setTimeout(() => this.retry(), pause);
  }
}
