// Events: a handler that throws is reported as any uncaught error is, and stops nothing.

export class Emitter {
  #handlers = new Map();

  /** Call `handler` with each event of this name; returns what ends that. */
  on(name, handler) {
    const own = (event) => handler(event); // so that one function may be there twice
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name).add(own);
    return () => this.#handlers.get(name).delete(own);
  }

  _emit(name, event) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) {
      try {
        handler(event);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }

  _count(name) {
    return this.#handlers.get(name)?.size ?? 0;
  }
}
