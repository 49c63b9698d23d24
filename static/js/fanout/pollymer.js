// A `Request` for pages that were written for Pollymer 1.2: the same options, events, delays and requests, on `fetch`.
// What is the same and what is better: docs/howto/move-from-pollymer.md.

export const TransportTypes = { Auto: 0, Xhr: 1, Jsonp: 2 };
export const ErrorTypes = { TransportError: 0, TimeoutError: 1 };

/** Where JSON-P answers find their request: the name is what servers of Pollymer's pages permit. */
const JSON_P_REGISTRY = "D3DDFE2A-6E6D-47A7-8F3B-0A4A8E71A796";
/** Delays after failures double up to 2 ** 6 seconds. */
const MOST_DOUBLINGS = 6;

let logger = null;

function log(type, message) {
  logger?.(type, message);
}

/** One request at a time, repeated as its options say. Options are properties, and may be changed between requests. */
export class Request {
  transport = TransportTypes.Auto;
  rawResponse = false;
  maxTries = 1;
  maxDelay = 1000;
  recurring = false;
  withCredentials = false;
  timeout = 60_000;
  errorCodes = "500-599";
  lastRequest = null;
  #handlers = new Map();
  #isReused = false;
  #tries = 0;
  #asked;
  #timer;
  #end;

  constructor(options = {}) {
    for (const name of Object.keys(this)) if (name in options && name !== "lastRequest") this[name] = options[name];
  }

  /** Begin. `url` may be a function, which is called for each try. */
  start(method, url, headers, body) {
    if (this.#timer !== undefined) return log("error", "start() called on a Request object that is currently running.");
    this.#asked = { method, url, headers, body };
    this.#start();
  }

  /** The same again, after a delay as for a failure. */
  retry() {
    if (!this.#tries) return log("error", "retry() called on a Request object that has never been started.");
    if (this.#timer !== undefined) return log("error", "retry() called on a Request object that is currently running.");
    this.#retry();
  }

  abort() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#end?.();
    this.#end = undefined;
  }

  /** Returns what removes the handler. Within it, `this` is the request. */
  on(name, handler) {
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), handler]);
    return () => this.off(name, handler);
  }

  off(name, handler) {
    const left = handler === undefined ? [] : (this.#handlers.get(name) ?? []).filter((one) => one !== handler);
    this.#handlers.set(name, left);
  }

  #start() {
    this.#tries = 0;
    const wait = this.#isReused ? Math.floor(Math.random() * this.maxDelay) : 0;
    this.#isReused = false;
    this.#wait(wait); // also 0: what begins outside the page's own events shows no busy sign
  }

  #retry() {
    const doublings = Math.min(this.#tries - 1, MOST_DOUBLINGS);
    this.#wait(1000 * 2 ** doublings + Math.floor(Math.random() * this.maxDelay));
  }

  #wait(ms) {
    log("info", `trying in ${ms}ms`);
    this.lastRequest = null;
    this.#timer = setTimeout(() => this.#try(), ms);
  }

  #try() {
    this.#timer = setTimeout(() => this.#timeOut(), this.timeout);
    this.#tries += 1;
    const { method, url, headers, body } = this.#asked;
    const uri = typeof url === "function" ? url() : url;
    const transport = this.transport === TransportTypes.Auto ? TransportTypes.Xhr : this.transport;
    this.lastRequest = { method, uri, headers, body, transport };
    const answer = (code, text, told) => this.#answer(code, text, told);
    if (transport === TransportTypes.Xhr) this.#end = fetchOnce(this.lastRequest, this.withCredentials, answer);
    else if (transport === TransportTypes.Jsonp) this.#end = loadScript(this.lastRequest, answer);
    else {
      log("error", "Invalid transport.");
      this.abort();
      this.#tell("error", ErrorTypes.TransportError);
    }
  }

  #answer(code, text, headers) {
    this.#end = undefined;
    this.abort();
    const isFailure = !code || isAmong(this.errorCodes, code);
    if (isFailure && this.#mayTryAgain()) this.#retry();
    else if (!code) this.#tell("error", ErrorTypes.TransportError);
    else {
      this.#tell("finished", code, this.rawResponse ? text : parse(text), headers);
      // A handler may have begun something, or have ended the recurring.
      if (this.recurring && code >= 200 && code < 300 && this.#timer === undefined) this.#start();
    }
  }

  #timeOut() {
    this.abort();
    if (this.#mayTryAgain()) this.#retry();
    else this.#tell("error", ErrorTypes.TimeoutError);
  }

  #mayTryAgain() {
    return this.maxTries === -1 || this.#tries < this.maxTries;
  }

  #tell(name, ...facts) {
    this.#isReused = true;
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        handler.apply(this, facts);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}

/** All of it under the name that pages know. */
export const Pollymer = {
  Request,
  ErrorTypes,
  TransportTypes,
  get logger() {
    return logger;
  },
  set logger(value) {
    logger = value;
  },
};

/** Ask once; `answer(0)` is a failure of the network. Returns what ends it. */
function fetchOnce({ method, uri, headers, body }, withCredentials, answer) {
  const ending = new AbortController();
  const credentials = withCredentials ? "include" : "same-origin";
  fetch(uri, { method, headers: headers ?? undefined, body: body ?? undefined, credentials, signal: ending.signal })
    .then(async (response) => [response.status, await response.text(), Object.fromEntries(response.headers)])
    .catch(() => [0, "", {}])
    .then((told) => ending.signal.aborted || answer(...told));
  return () => ending.abort();
}

/** The same by a script, for servers that know JSON-P. */
function loadScript({ method, uri, headers, body }, answer) {
  const registry = (globalThis[JSON_P_REGISTRY] ??= {
    count: 0,
    callbacks: {},
    getJsonpCallback: (name) => registry.callbacks[name] ?? (() => {}),
  });
  const number = registry.count++;
  const name = `cb-${number}`;
  const query = [["callback", `window["${JSON_P_REGISTRY}"].getJsonpCallback("${name}")`]];
  if (method !== "GET") query.push(["_method", method]);
  if (headers) query.push(["_headers", JSON.stringify(headers)]);
  if (body) query.push(["_body", body]);
  const script = document.createElement("script");
  script.id = `pd-jsonp-script-${number}`;
  const members = query.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  script.src = uri + (uri.includes("?") ? "&" : "?") + members;
  const end = () => {
    delete registry.callbacks[name];
    script.remove();
  };
  registry.callbacks[name] = ({ code = 0, body: text = null, headers: told = {} }) => {
    end();
    answer(code, text, told);
  };
  document.head.append(script);
  return end;
}

function isAmong(ranges, code) {
  return ranges.split(",").some((range) => {
    const [first, last = first] = range.split("-").map((part) => parseInt(part, 10));
    return code >= first && code <= last;
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
