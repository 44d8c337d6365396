// A camera on the wall.

import { Picture } from './picture.js';
import { Plot } from './plot.js';
import { groupOf } from './cameras.js';
import * as text from './text.js';

const template = document.getElementById('tile');
const SPARK = 90; // seconds

export class Tile {
  #parts;
  #plot;
  inView = false;

  constructor(camera) {
    this.camera = camera;
    this.element = template.content.firstElementChild.cloneNode(true);
    const find = name => this.element.querySelector(name);
    this.link = find('.tile');
    this.#parts = {
      name: find('.name'), fps: find('.fps'), why: find('.why'), age: find('.age'),
      viewers: find('.viewers'), cpu: find('.cpu'),
      canvas: find('canvas'),
    };
    this.picture = new Picture(this.#parts.canvas, age => this.camera.shown(age));
    this.#plot = new Plot(find('.plot'), { count: SPARK, least: 100 });
    this.link.href = '#' + camera.info.id;
    this.#parts.name.textContent = camera.info.id;
    this.#parts.canvas.setAttribute('aria-label', `picture of camera ${camera.info.id}`);
    this.show();
  }

  // In pixels of the page.
  width() {
    return this.#parts.canvas.clientWidth;
  }

  // State and numbers, as they are known now.
  show() {
    const { info } = this.camera, parts = this.#parts, live = info.state === 'live';
    this.element.dataset.state = groupOf(info.state);
    text.setText(parts.fps, live ? text.rate(info.fps) : info.state);
    text.setText(parts.why, live ? '' : info.why || `since ${text.time(info.since)}`);
    parts.why.title = live ? '' : `${info.state} since ${text.time(info.since)}`;
    const shown = this.inView && !this.picture.empty;
    text.setText(parts.age, text.age(shown ? this.camera.age.last() : info.age_ms));
    text.setText(parts.viewers, text.viewers(info.viewers));
    const cpu = text.share(info.cpu);
    text.setText(parts.cpu, cpu ? `CPU ${cpu}` : '');
    const why = info.why ? ': ' + info.why : '';
    const state = live ? `live, ${text.rate(info.fps)}` : info.state + why;
    this.link.setAttribute('aria-label', `${info.id}, ${state}, enlarge`);
  }

  // Once a second while in view.
  plot() {
    this.#plot.draw(this.camera.age);
  }
}
