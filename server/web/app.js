// The page for people.  URLs are relative, so that it works behind a proxy's path.  All text from the server is set as text, never as HTML.
'use strict';

const LIVE_MAX = 4; // streams held open at once: a browser has six connections to one server, and this page needs some itself
const POLL_MS = 2000;
const SNAPSHOT_MS = 250; // between two snapshots
const RETRY_MS = 2000;

const wall = document.getElementById('wall');
const summary = document.getElementById('summary');
const template = document.getElementById('card');
const cards = new Map();
let lost = false;

const sleep = ms => new Promise(done => setTimeout(done, ms));
const relative = path => path.replace(/^\//, '');
const fresh = path => relative(path) + '?t=' + Date.now();

function setText(element, value) {
  if (element.textContent !== value)
    element.textContent = value;
}

function age(ms) {
  if (ms === null)
    return '–';
  if (ms < 1000)
    return ms + ' ms';
  if (ms < 120000)
    return (ms / 1000).toFixed(1) + ' s';
  return Math.round(ms / 60000) + ' min';
}

function addCard(camera) {
  const element = template.content.firstElementChild.cloneNode(true);
  const find = name => element.querySelector(name);
  const card = {
    element, live: cards.size < LIVE_MAX, img: find('img'), camera,
    state: find('.state'), why: find('.why'), fps: find('.fps'), age: find('.age'), size: find('.size'), viewers: find('.viewers'),
  };
  find('h2').textContent = camera.id;
  card.img.alt = 'camera ' + camera.id;
  find('.view').href = find('.stream').href = relative(camera.stream);
  find('.snapshot').href = relative(camera.snapshot);
  find('.details').href = 'api/v1/cameras/' + encodeURIComponent(camera.id);
  cards.set(camera.id, card);
  if (card.live) {
    card.img.addEventListener('error', () => setTimeout(() => play(card), RETRY_MS));
    play(card);
  }
  wall.append(element);
  return card;
}

function play(card) {
  if (cards.get(card.camera.id) === card)
    card.img.src = fresh(card.camera.stream);
}

// A stream that breaks off leaves its last picture standing, without an event; but the browser then books the request as finished.
new PerformanceObserver(entries => {
  for (const entry of entries.getEntries())
    for (const card of cards.values())
      if (card.live && card.img.src === entry.name)
        setTimeout(() => play(card), RETRY_MS);
}).observe({ type: 'resource' });

function show(card, camera) {
  card.camera = camera;
  setText(card.state, camera.state);
  card.state.className = 'state ' + (camera.state === 'live' ? 'live' : camera.state === 'away' ? 'away' : '');
  card.state.title = 'since ' + new Date(camera.since * 1000).toLocaleString();
  setText(card.why, camera.why || '');
  setText(card.fps, camera.fps.toFixed(camera.fps < 10 ? 1 : 0) + ' fps');
  setText(card.age, age(camera.age_ms));
  setText(card.size, camera.width ? camera.width + ' × ' + camera.height : '–');
  setText(card.viewers, String(camera.viewers));
}

async function fetchCameras() {
  const list = [];
  for (let cursor = null;;) {
    const answer = await fetch('api/v1/cameras' + (cursor ? '?cursor=' + encodeURIComponent(cursor) : ''), { cache: 'no-store' });
    if (!answer.ok)
      throw new Error('status ' + answer.status);
    const page = await answer.json();
    list.push(...page.cameras);
    if (!(cursor = page.next))
      return list;
  }
}

function update(list) {
  const known = new Set(list.map(camera => camera.id));
  for (const [id, card] of cards)
    if (!known.has(id)) {
      cards.delete(id);
      card.img.removeAttribute('src');
      card.element.remove();
    }
  for (const camera of list)
    show(cards.get(camera.id) || addCard(camera), camera);
  const live = list.filter(camera => camera.state === 'live').length;
  setText(summary, list.length ? `${live} of ${list.length} live` : 'no cameras are configured');
  summary.className = '';
}

async function poll() {
  for (;;) {
    try {
      update(await fetchCameras());
      if (lost)
        for (const card of cards.values())
          if (card.live)
            play(card);
      lost = false;
    } catch {
      lost = true;
      setText(summary, 'the server does not answer');
      summary.className = 'lost';
    }
    await sleep(POLL_MS);
  }
}

// Shows the card's next picture once it is there whole.
function load(card, src) {
  return new Promise(done => {
    const next = new Image();
    next.alt = card.img.alt;
    next.onload = () => { card.img.replaceWith(next); card.img = next; done(); };
    next.onerror = done;
    next.src = src;
  });
}

function visible(element) {
  const box = element.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight;
}

// Cameras beyond the live ones: one snapshot after the other, of those that are in view.
async function snapshots() {
  for (;;) {
    for (const card of [...cards.values()].filter(each => !each.live)) {
      if (document.hidden || card.camera.age_ms === null || !visible(card.element))
        continue;
      await load(card, fresh(card.camera.snapshot));
      await sleep(SNAPSHOT_MS);
    }
    await sleep(SNAPSHOT_MS);
  }
}

poll();
snapshots();
