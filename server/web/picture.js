// Shows one camera's pictures on a canvas. While one is being decoded only the newest of those that
// come meanwhile is kept.

export class Picture {
  #canvas;
  #context;
  #onShown; // (age in ms)
  #busy = false;
  #next = null;
  empty = true;

  constructor(canvas, onShown) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('bitmaprenderer');
    this.#onShown = onShown;
  }

  offer(fields, pieces) {
    this.#next = { fields, pieces, at: performance.now() };
    if (!this.#busy)
      this.#work();
  }

  // Gives the memory back.
  clear() {
    this.#next = null;
    this.#context.transferFromImageBitmap(null);
    this.#canvas.width = this.#canvas.height = 1;
    this.empty = true;
  }

  async #work() {
    this.#busy = true;
    while (this.#next) {
      const { fields, pieces, at } = this.#next;
      this.#next = null;
      try {
        const bitmap = await createImageBitmap(new Blob(pieces, { type: 'image/jpeg' }));
        this.#show(bitmap);
        this.#onShown(1000 * Number(fields['x-age-captured'] || 0) + performance.now() - at);
      } catch { /* a damaged picture: the next one is on its way */ }
    }
    this.#busy = false;
  }

  #show(bitmap) {
    const canvas = this.#canvas;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    this.#context.transferFromImageBitmap(bitmap);
    this.empty = false;
  }
}
