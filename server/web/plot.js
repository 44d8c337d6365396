// The last minutes of a number, one value a second, and its curve.

export const SAMPLES = 240;

export class Series {
  #values = new Float32Array(SAMPLES).fill(NaN);
  #at = 0;
  length = 0; // seconds since the first

  add(value) {
    this.length = Math.min(SAMPLES, this.length + 1);
    this.#values[this.#at] = value ?? NaN;
    this.#at = (this.#at + 1) % SAMPLES;
  }

  last() {
    return this.#values[(this.#at + SAMPLES - 1) % SAMPLES];
  }

  // The newest `count` values, oldest first; NaN where nothing is known.
  newest(count) {
    const from = (this.#at + SAMPLES - count) % SAMPLES;
    return Array.from({ length: count }, (_, i) => this.#values[(from + i) % SAMPLES]);
  }
}

const WIDTH = 240;
const SHORTEST = 30; // seconds; a new curve does not begin as a dot
const HEIGHT = 60;
const NAMESPACE = 'http://www.w3.org/2000/svg';

function add(svg, kind, className) {
  const element = document.createElementNS(NAMESPACE, kind);
  element.setAttribute('class', className);
  svg.append(element);
  return element;
}

// From 0 to a little more than the largest value, so that a steady number is a steady line.
function top(values, least) {
  return Math.max(least, ...values.filter(value => !Number.isNaN(value))) * 1.15;
}

function line(values, scale) {
  let path = '', drawing = false;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) {
      drawing = false;
      continue;
    }
    const x = ((i + 0.5) * WIDTH / values.length).toFixed(1);
    const y = (HEIGHT - values[i] / scale * HEIGHT).toFixed(1);
    path += drawing ? `L${x} ${y}` : `M${x} ${y}l.1 0`;
    drawing = true;
  }
  return path;
}

// The area below a line, which may have gaps.
function area(path) {
  return path.split('M').filter(Boolean).map(part => {
    const begin = part.split(' ')[0], end = part.split('L').at(-1).split(/[ l]/)[0];
    return `M${part.replace('l.1 0', '')}L${end} ${HEIGHT}L${begin} ${HEIGHT}Z`;
  }).join('');
}

export class Plot {
  #line;
  #area;
  #label;
  #count;
  #least;

  // At most `count` values of a series; the scale reaches at least to `least`. `format`: labels it.
  constructor(svg, { count, least, format }) {
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    this.#area = add(svg, 'path', 'area');
    this.#line = add(svg, 'path', 'line');
    this.#count = count;
    this.#least = least;
    this.#label = format;
  }

  draw(series) {
    const values = series.newest(Math.max(SHORTEST, Math.min(this.#count, series.length)));
    const scale = top(values, this.#least);
    const path = line(values, scale);
    this.#line.setAttribute('d', path);
    this.#area.setAttribute('d', area(path));
    return this.#label?.(scale / 1.15);
  }
}
