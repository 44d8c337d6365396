// The wall: which cameras are shown, what is in view, and one stream for it all. URLs are relative,
// so that it works behind a proxy's path. Whatever the server says is set as text, never as HTML.

import { ask, Cameras, groupOf } from './cameras.js';
import { Live } from './live.js';
import { here, setText } from './text.js';
import { Tile } from './tile.js';
import { Viewer } from './viewer.js';

const POLL_MS = 2000;
const LISTEN_MS = 30000; // until refused events are asked for again
const KEEP = 60; // pictures kept of tiles out of view
const MANY = 12; // tiles; beyond that each gets fewer pictures, which spares the browser
const MANY_FPS = 10;
const WIDTHS = [320, 640, 1280]; // of pictures on the wall
const SIZES = [150, 200, 260, 340, 460, 640, 900]; // least width of a tile
const SIZE_KEY = 'camring-size';

const get = id => document.getElementById(id);
const [wall, summary, states, search, empty, more] =
  ['wall', 'summary', 'states', 'search', 'empty', 'more'].map(get);
const emptyText = empty.querySelector('p'), emptyButton = empty.querySelector('button');
const troubles = document.querySelectorAll('.trouble'); // on the wall and on the enlarged camera

const tiles = new Map(); // by id
const inView = new Set(); // ids
const kept = new Set(); // tiles out of view that still have a picture, longest out first
let open = []; // ids in the stream now
let link = { state: 'off' }; // how the stream does
let lost = false; // and people were told
let answering = true; // the last question to the server was answered
let cameAt = 0; // when the newest picture came
let events = null;
let listened = 0; // when they were asked for
let arrived = false; // this page itself opened the viewer

const cameras = new Cameras({ onAdded, onChanged, onOther: () => location.reload() });
const live = new Live(onPart, onLink);
const viewer = new Viewer({ leave, step });

// ---- pictures

function onPart(id, fields, pieces) {
  cameAt = performance.now();
  if (viewer.camera)
    viewer.camera.info.id === id && viewer.offer(fields, pieces);
  else
    tiles.get(id)?.picture.offer(fields, pieces);
}

// No larger than they are shown, in few steps so that walls share them, and fewer of them where
// there are many.
function wishes() {
  if (viewer.camera || open.length === 0)
    return '';
  const needed = tiles.get(open[0]).width() * devicePixelRatio;
  const width = WIDTHS.find(each => each >= 0.9 * needed);
  return (width ? `&width=${width}` : '') + (open.length > MANY ? `&fps=${MANY_FPS}` : '');
}

// The wall's pictures, or the enlarged camera's alone. Tiles that have just left the view stay in
// the stream, so that it is not opened anew for each row that is scrolled by.
function choose() {
  if (viewer.camera) {
    open = [viewer.camera.info.id];
  } else {
    const stay = open.length <= 2 * inView.size + 4 && [...inView].every(id => open.includes(id)) &&
      open.every(id => tiles.has(id));
    if (!stay)
      open = [...tiles.keys()].filter(id => inView.has(id));
  }
  live.show(open, wishes());
}

const watcher = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    const tile = tiles.get(target.dataset.id);
    tile.inView = isIntersecting;
    kept.delete(tile);
    if (isIntersecting)
      inView.add(target.dataset.id);
    else if (inView.delete(target.dataset.id) || !tile.picture.empty)
      kept.add(tile);
  }
  for (const tile of kept) {
    if (kept.size <= KEEP)
      break;
    kept.delete(tile);
    tile.picture.clear();
  }
  choose();
}, { rootMargin: '20% 0%' });

new ResizeObserver(choose).observe(wall);

// ---- the connection

function onLink(status) {
  link = status;
  // The cameras are others now, or a proxy does not find the server: then this page is all there
  // is.
  if (status.code === 404)
    ask('api/v1/cameras?limit=1').then(() => location.reload(), () => {});
  if (status.state === 'opening')
    cameras.all().forEach(camera => camera.opened());
  showTrouble();
}

function showTrouble() {
  lost = link.state === 'lost' || (link.state === 'opening' && lost) || !answering;
  document.body.classList.toggle('lost', lost);
  const seconds = link.state === 'lost' ? Math.ceil((link.retryAt - performance.now()) / 1000) : 0;
  const reason = link.reason || 'the server does not answer';
  const next = seconds > 1 ? `Trying again in ${seconds} s.` : 'Trying again …';
  for (const trouble of troubles) {
    trouble.hidden = !lost;
    if (lost)
      setText(trouble.firstElementChild, `Connection lost: ${reason}. ${next}`);
  }
}

async function poll() {
  const askedAt = performance.now();
  try {
    if (!cameras.known)
      await cameras.more();
    else if (viewer.camera)
      await cameras.refreshOne(viewer.camera);
    else
      await cameras.refresh(inView);
    if (!answering && link.state !== 'open')
      live.retry();
    answering = true;
    if (events?.readyState === EventSource.CLOSED && performance.now() - listened > LISTEN_MS)
      listen();
  } catch (error) {
    const crowded = error.name === 'TimeoutError' && cameAt > askedAt;
    if (crowded)
      makeRoom();
    else if (answering && !error.status)
      live.retry(); // a dead line may look open for minutes
    answering = crowded || Boolean(error.status);
  }
  showTrouble();
  showSummary();
}

async function polling() {
  for (;;) {
    if (!document.hidden)
      await poll();
    await new Promise(done => setTimeout(done, POLL_MS));
  }
}

// What changes is told at once; without that, the questions above find out.
function listen() {
  events?.close();
  events = document.hidden ? null : new EventSource(here('api/v1/events'));
  listened = performance.now();
  events?.addEventListener('camera', ({ data }) => {
    cameras.learn(JSON.parse(data));
    showSummary();
  });
  events?.addEventListener('gone', ({ data }) => onGone(JSON.parse(data).id));
}

// Pictures come, answers don't: other windows have the rest of the six connections that a browser
// makes to one server. What changes can be asked for, too, until this window is shown anew.
function makeRoom() {
  events?.close();
  events = null;
}

document.addEventListener('visibilitychange', () => {
  live.pause(document.hidden);
  listen();
  if (!document.hidden)
    poll();
});
addEventListener('online', () => live.retry());
for (const trouble of troubles)
  trouble.lastElementChild.addEventListener('click', () => { live.retry(); poll(); });

// ---- tiles

function onAdded(added) {
  const fragment = document.createDocumentFragment();
  for (const camera of added) {
    const tile = new Tile(camera);
    tile.element.dataset.id = camera.info.id;
    tile.element.hidden = !matches(camera);
    tiles.set(camera.info.id, tile);
    fragment.append(tile.element);
    watcher.observe(tile.element);
  }
  wall.append(fragment);
  wall.classList.toggle('few', tiles.size <= 2 && cameras.done);
  resize(0);
  showSummary();
  read();
}

function onGone(id) {
  const tile = tiles.get(id);
  cameras.forget(id);
  if (viewer.camera?.info.id === id)
    leave();
  if (tile) {
    watcher.unobserve(tile.element);
    tile.element.remove();
    tiles.delete(id);
    inView.delete(id);
    kept.delete(tile);
    choose();
  }
  showSummary();
}

function onChanged(camera) {
  const tile = tiles.get(camera.info.id);
  if (tile) {
    tile.show();
    tile.element.hidden = !matches(camera);
  }
  if (viewer.camera === camera)
    viewer.show();
}

function matches({ info }) {
  const state = states.querySelector(':checked').value;
  const wanted = search.value.trim().toLowerCase();
  return (!state || groupOf(info.state) === state) && info.id.includes(wanted);
}

const shownTiles = () => [...tiles.values()].filter(tile => !tile.element.hidden);

function filter() {
  for (const tile of tiles.values())
    tile.element.hidden = !matches(tile.camera);
  showSummary();
}

function showSummary() {
  const count = cameras.count(), shown = shownTiles().length;
  if (cameras.known) {
    const rest = [count.away && `${count.away} away`, count.other && `${count.other} other`]
      .filter(Boolean);
    const parts = [`${count.live} of ${count.total} live`, ...rest];
    setText(summary, count.total ? parts.join(' · ') : 'no cameras are configured');
    const { total, live, away, other } = count;
    for (const [value, number] of Object.entries({ '': total, live, away, other })) {
      const label = states.querySelector(`input[value="${value}"]`).parentElement;
      setText(label.querySelector('b'), String(number));
      label.hidden = value === 'other' && number === 0 && !label.firstElementChild.checked;
    }
    document.title = live < total ? `${live}/${total} camring` : 'camring';
  }
  empty.hidden = !cameras.known || shown > 0 || !cameras.done;
  emptyButton.hidden = count.total === 0;
  const wanted = search.value.trim();
  setText(emptyText, !count.total ? 'No cameras are configured.'
    : wanted ? `No camera matches “${wanted}”.` : 'No camera is in this state.');
}

states.addEventListener('change', filter);
search.addEventListener('input', filter);
emptyButton.addEventListener('click', () => {
  search.value = '';
  states.querySelector('input').checked = true;
  filter();
  search.focus();
});

// The end of the list is near: more of it, until it is not.
let near = false;
async function fill() {
  while (near && cameras.known && !cameras.done) {
    try {
      await cameras.more();
    } catch {
      return; // said by the next poll
    }
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  }
  showSummary();
}
new IntersectionObserver(entries => {
  near = entries.at(-1).isIntersecting;
  fill();
}, { rootMargin: '60% 0%' }).observe(more);

let size = null; // of the tiles; null: nobody has chosen
try {
  size = localStorage.getItem(SIZE_KEY);
} catch { /* forbidden: then nothing is remembered */ }

// The more cameras, the smaller, until somebody chooses.
function resize(by) {
  const usual = tiles.size >= 20 ? 2 : tiles.size >= 7 ? 3 : 4;
  const now = Math.min(SIZES.length - 1, Math.max(0, Number(size ?? usual) + by));
  if (by) {
    size = now;
    try {
      localStorage.setItem(SIZE_KEY, String(size));
    } catch { /* for this page only */ }
  }
  wall.style.setProperty('--tile', SIZES[now] + 'px');
  get('smaller').disabled = now === 0;
  get('larger').disabled = now === SIZES.length - 1;
}
get('smaller').addEventListener('click', () => resize(-1));
get('larger').addEventListener('click', () => resize(1));

// ---- one camera enlarged: the URL's hash names it, so that reload, back and links work

async function read() {
  const id = location.hash.slice(1);
  if (viewer.camera?.info.id === id)
    return;
  if (!id) {
    close();
    return;
  }
  while (!cameras.get(id) && cameras.known && !cameras.done)
    await cameras.more().catch(() => new Promise(done => setTimeout(done, POLL_MS)));
  if (location.hash.slice(1) !== id)
    return;
  const camera = cameras.get(id);
  if (!camera) {
    if (cameras.done)
      history.replaceState(null, '', location.pathname + location.search);
    return;
  }
  const shown = shownTiles(), at = shown.findIndex(tile => tile.camera === camera);
  viewer.open(camera, { first: at <= 0, last: at < 0 || at === shown.length - 1 && cameras.done });
  choose();
}

function close() {
  if (!viewer.camera)
    return;
  const tile = tiles.get(viewer.camera.info.id);
  viewer.close();
  arrived = false;
  tile?.link.focus();
  tile?.element.scrollIntoView({ block: 'nearest' });
  choose();
}

function leave() {
  if (arrived) {
    history.back();
  } else {
    history.replaceState(null, '', location.pathname + location.search);
    close();
  }
}

async function step(by) {
  const shown = shownTiles(), at = shown.findIndex(tile => tile.camera === viewer.camera);
  if (at >= 0 && shown[at + by]) {
    history.replaceState(null, '', '#' + shown[at + by].camera.info.id);
    read();
    if (at + 2 * by >= shown.length)
      await cameras.more().catch(() => {});
  }
}

wall.addEventListener('click', event => {
  if (event.target.closest('.tile') && !event.ctrlKey && !event.metaKey && !event.shiftKey)
    arrived = true;
});
addEventListener('hashchange', read);

// ---- keys

function focusBy(key) {
  const shown = shownTiles(), at = shown.findIndex(tile => tile.link === document.activeElement);
  if (at < 0)
    return false;
  const row = shown.filter(tile => tile.element.offsetTop === shown[0].element.offsetTop).length;
  const to = {
    ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - row, ArrowDown: at + row,
    Home: 0, End: shown.length - 1,
  }[key];
  shown[to]?.link.focus();
  return to !== undefined;
}

addEventListener('keydown', event => {
  if (viewer.camera || event.altKey || event.ctrlKey || event.metaKey)
    return;
  const typing = event.target.closest?.('input');
  if (event.key === '/' && !typing) {
    event.preventDefault();
    search.select();
  } else if (event.key === 'Escape' && event.target === search) {
    search.value = '';
    filter();
  } else if (!typing && focusBy(event.key)) {
    event.preventDefault();
  }
});

// ---- every second

function tick() {
  if (document.hidden)
    return;
  const watched = new Set(link.state === 'open' ? open : []);
  for (const camera of cameras.all())
    camera.tick(watched.has(camera.info.id) && camera.info.state === 'live');
  if (viewer.camera) {
    viewer.show();
    viewer.plot();
  } else {
    for (const id of inView) {
      tiles.get(id).show();
      tiles.get(id).plot();
    }
  }
  showTrouble();
}

listen();
polling();
setInterval(tick, 1000);
