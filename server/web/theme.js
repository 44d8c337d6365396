// Dark or light: what the system prefers, until somebody chooses; that is remembered. Runs before
// the page is drawn.
'use strict';

(() => {
  const KEY = 'camring-theme';
  const dark = matchMedia('(prefers-color-scheme: dark)');

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // forbidden: then nothing is remembered
    }
  }

  function show() {
    const system = dark.matches ? 'dark' : 'light';
    document.documentElement.dataset.theme = stored() || chosen || system;
  }

  let chosen = null;

  function toggle() {
    chosen = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, chosen);
    } catch { /* for this page only */ }
    show();
  }

  show();
  dark.addEventListener('change', show);
  addEventListener('storage', show);
  addEventListener('DOMContentLoaded', () =>
    document.getElementById('theme').addEventListener('click', toggle));
})();
