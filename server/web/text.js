// Numbers for people, addresses for scripts.

// Relative to the page, but without a name and password that may have come in its address: scripts
// may not repeat those.
export function here(path) {
  return new URL(path, location.origin + location.pathname).href;
}

export function setText(element, value) {
  if (element.textContent !== value)
    element.textContent = value;
}

export function age(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms))
    return '–';
  if (ms < 1000)
    return `${Math.round(ms)} ms`;
  if (ms < 10000)
    return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120000)
    return `${Math.round(ms / 1000)} s`;
  return ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`;
}

export function rate(fps) {
  if (fps === null || fps === undefined || Number.isNaN(fps))
    return '–';
  const fraction = fps < 9.95 && Math.abs(fps - Math.round(fps)) >= 0.05;
  return `${fraction ? fps.toFixed(1) : Math.round(fps)} fps`;
}

// null: not known.
export function share(cores) {
  if (typeof cores !== 'number')
    return null;
  return cores < 0.01 ? '< 1 %' : `${Math.round(cores * 100)} %`;
}

export function viewers(count) {
  return count === 1 ? '1 viewer' : `${count} viewers`;
}

export function time(seconds) {
  const when = new Date(seconds * 1000);
  const today = when.toDateString() === new Date().toDateString();
  return today ? when.toLocaleTimeString() : when.toLocaleString();
}
