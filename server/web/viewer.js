// One camera, as large as it gets.

import { Picture } from './picture.js';
import { Plot, SAMPLES } from './plot.js';
import { groupOf } from './cameras.js';
import * as text from './text.js';

const dialog = document.getElementById('viewer');
const find = name => dialog.querySelector(name);

export class Viewer {
  #parts = Object.fromEntries(['fps', 'age', 'viewers', 'cpu', 'size', 'since']
    .map(name => [name, find('dd.' + name)]));
  #canvas = find('canvas');
  #plots = {
    fps: new Plot(find('.plot.fps'), { count: SAMPLES, least: 1, format: text.rate }),
    age: new Plot(find('.plot.age'), { count: SAMPLES, least: 100, format: text.age }),
  };
  #picture = new Picture(this.#canvas, age => this.#shown(age));
  camera = null; // null: closed

  // `leave()` and `step(-1 | 1)` are what the buttons and keys ask for.
  constructor({ leave, step }) {
    find('.back').addEventListener('click', leave);
    find('.previous').addEventListener('click', () => step(-1));
    find('.next').addEventListener('click', () => step(1));
    dialog.addEventListener('cancel', event => { event.preventDefault(); leave(); });
    dialog.addEventListener('keydown', event => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (by && !event.altKey && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        step(by);
      }
    });
  }

  open(camera, { first, last }) {
    const { id } = camera.info;
    if (this.camera !== camera)
      this.#picture.clear();
    this.camera = camera;
    find('h2').textContent = id;
    find('.stream').href = `cameras/${id}/stream.mjpeg`;
    find('.snapshot').href = `cameras/${id}/snapshot.jpg`;
    find('.details').href = 'api/v1/cameras/' + encodeURIComponent(id);
    this.#canvas.setAttribute('aria-label', `picture of camera ${id}`);
    this.#allow(find('.previous'), !first);
    this.#allow(find('.next'), !last);
    dialog.classList.toggle('waiting', this.#picture.empty);
    this.show();
    this.plot();
    if (!dialog.open)
      dialog.showModal();
  }

  // What is disabled has no focus any more, and without one keys would go past the dialog.
  #allow(button, allowed) {
    if (!allowed && document.activeElement === button)
      find('h2').focus();
    button.disabled = !allowed;
  }

  close() {
    this.camera = null;
    dialog.close();
    this.#picture.clear();
  }

  offer(fields, pieces) {
    this.#picture.offer(fields, pieces);
  }

  #shown(age) {
    this.camera?.shown(age);
    dialog.classList.remove('waiting');
  }

  show() {
    const { info, age } = this.camera, parts = this.#parts;
    dialog.dataset.state = groupOf(info.state);
    text.setText(find('.state'), info.state);
    text.setText(find('.why'), info.state === 'live' ? '' : info.why || '');
    text.setText(parts.fps, text.rate(info.fps));
    text.setText(parts.age, text.age(info.state === 'live' ? age.last() : info.age_ms));
    text.setText(parts.viewers, String(info.viewers));
    text.setText(parts.cpu, text.share(info.cpu) || '');
    parts.cpu.parentElement.hidden = !parts.cpu.textContent;
    const codec = info.codec ? ' · ' + info.codec : '';
    text.setText(parts.size, info.width ? `${info.width} × ${info.height}${codec}` : '–');
    text.setText(parts.since, text.time(info.since));
  }

  plot() {
    for (const [name, plot] of Object.entries(this.#plots))
      text.setText(find('.now-' + name), 'up to ' + plot.draw(this.camera[name]));
  }
}
