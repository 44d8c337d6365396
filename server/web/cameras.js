// What is known of the cameras: read by pages, kept current by events or, without those, by asking
// again; and what this page itself sees of them.

import { Series } from './plot.js';
import { here } from './text.js';

const PAGE = 50;
const LIMIT_MS = 8000; // for an answer

export async function ask(path) {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const answer = await fetch(here(path), { cache: 'no-store', signal });
  if (!answer.ok)
    throw Object.assign(new Error(`status ${answer.status}`), { status: answer.status });
  return answer.json();
}

// live, away or other.
export function groupOf(state) {
  return state === 'live' || state === 'away' ? state : 'other';
}

export class Camera {
  fps = new Series();
  age = new Series();
  #made = NaN; // when the newest picture was made, by this page's clock; NaN: none in this stream
  #first = true; // a stream's first picture was there before and says nothing about the way here
  #count = 0;
  #sum = 0;

  constructor(info) {
    this.info = info;
  }

  // The stream was opened anew.
  opened() {
    this.#first = true;
    this.#made = NaN;
  }

  shown(age) {
    if (this.#first) {
      this.#first = false;
      return;
    }
    this.#made = performance.now() - age;
    this.#count++;
    this.#sum += age;
  }

  // Once a second; `watched`: pictures of it should come.
  tick(watched) {
    this.fps.add(watched && !this.#first ? this.#count : NaN);
    const age = this.#count > 0 ? this.#sum / this.#count : performance.now() - this.#made;
    this.age.add(watched ? age : NaN);
    this.#count = this.#sum = 0;
  }
}

export class Cameras {
  #byId = new Map();
  #pages = []; // { cursor, ids }
  #next = null; // cursor of the next page
  #loading = null;
  #turn = 0;
  #onAdded; // (cameras)
  #onChanged; // (camera)
  #onOther; // (): there are other cameras now than there were
  done = false; // all pages are there
  known = false; // at least one answer came
  #states = {}; // how many are in which, as the server counts
  #differed = false; // the last page read told of another number of cameras

  constructor({ onAdded, onChanged, onOther }) {
    this.#onAdded = onAdded;
    this.#onChanged = onChanged;
    this.#onOther = onOther;
  }

  all() {
    return [...this.#byId.values()];
  }

  get(id) {
    return this.#byId.get(id);
  }

  // How many are in which group, those on pages that were not read yet included.
  count() {
    const found = { live: 0, away: 0, other: 0, total: 0 };
    for (const [state, count] of Object.entries(this.#states)) {
      found[groupOf(state)] += count;
      found.total += count;
    }
    return found;
  }

  // The next page; rejects if the server does not answer.
  more() {
    if (this.done)
      return Promise.resolve();
    this.#loading ??= this.#load(this.#next).finally(() => { this.#loading = null; });
    return this.#loading;
  }

  async #load(cursor) {
    const page = await this.#fetchPage(cursor);
    this.#pages.push({ cursor, ids: page.cameras.map(({ id }) => id) });
    this.#next = page.next;
    this.done = !page.next;
    this.known = true;
    this.#take(page.cameras);
  }

  async #fetchPage(cursor) {
    const from = cursor ? '&cursor=' + encodeURIComponent(cursor) : '';
    const page = await ask(`api/v1/cameras?limit=${PAGE}` + from);
    this.#states = page.states;
    // Once may be before the event that tells which camera has joined or gone.
    const differs = this.done && page.total !== this.#byId.size;
    if (differs && this.#differed)
      this.#onOther();
    this.#differed = differs;
    return page;
  }

  #take(infos) {
    const added = [];
    for (const info of infos) {
      const camera = this.#byId.get(info.id);
      if (camera) {
        camera.info = info;
        this.#onChanged(camera);
      } else {
        this.#byId.set(info.id, new Camera(info));
        added.push(this.#byId.get(info.id));
      }
    }
    if (added.length)
      this.#onAdded(added);
  }

  // Asks again about the pages that these are on, and about one of the others in turn.
  async refresh(ids) {
    const wanted = new Set(ids);
    const turn = this.#turn++ % Math.max(1, this.#pages.length);
    const pages = this.#pages
      .filter((page, i) => i === turn || page.ids.some(id => wanted.has(id)));
    for (const page of pages)
      this.#take((await this.#fetchPage(page.cursor)).cameras);
  }

  async refreshOne(camera) {
    this.#take([await ask('api/v1/cameras/' + encodeURIComponent(camera.info.id))]);
  }

  // The camera has been removed.
  forget(id) {
    const camera = this.#byId.get(id);
    if (!camera)
      return;
    this.#byId.delete(id);
    this.#states[camera.info.state]--;
    for (const page of this.#pages)
      page.ids = page.ids.filter(other => other !== id);
  }

  // What an event says of a camera.
  learn(news) {
    const camera = this.#byId.get(news.id);
    if (!camera && this.done) { // it has joined
      this.#states[news.state] = (this.#states[news.state] || 0) + 1;
      this.#pages.at(-1)?.ids.push(news.id);
      this.#take([news]);
    }
    if (!camera)
      return;
    if (news.state !== camera.info.state) {
      this.#states[camera.info.state]--;
      this.#states[news.state] = (this.#states[news.state] || 0) + 1;
    }
    camera.info = news;
    this.#onChanged(camera);
  }
}
