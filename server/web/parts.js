// Splits the body of a multipart stream whose parts have a Content-Length. A picture is handed over
// as the pieces it came in, uncopied.

const HEAD_MAX = 4096;
const latin1 = new TextDecoder('latin1');

function fields(head) {
  const found = {};
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0)
      found[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return found;
}

export class Parts {
  #onPart; // called with (fields, pieces)
  #head = '';
  #fields = null; // null: in a head
  #pieces = [];
  #missing = 0;

  constructor(onPart) {
    this.#onPart = onPart;
  }

  // Throws if it is no such stream.
  push(chunk) {
    while (chunk.length > 0)
      chunk = this.#fields ? this.#readBody(chunk) : this.#readHead(chunk);
  }

  #readHead(chunk) {
    const before = this.#head.length;
    this.#head += latin1.decode(chunk.subarray(0, HEAD_MAX));
    const end = this.#head.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (end < 0) {
      if (this.#head.length > HEAD_MAX)
        throw new Error('not a stream of pictures');
      return chunk.subarray(this.#head.length - before);
    }
    this.#fields = fields(this.#head.slice(0, end));
    this.#missing = Number.parseInt(this.#fields['content-length'], 10);
    if (!(this.#missing > 0))
      throw new Error('a picture without a length');
    this.#head = '';
    return chunk.subarray(end + 4 - before);
  }

  #readBody(chunk) {
    const piece = chunk.subarray(0, this.#missing);
    this.#pieces.push(piece);
    this.#missing -= piece.length;
    if (this.#missing === 0) {
      const head = this.#fields, pieces = this.#pieces;
      this.#fields = null;
      this.#pieces = [];
      this.#onPart(head, pieces);
    }
    return chunk.subarray(piece.length);
  }
}
