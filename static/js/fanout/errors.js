// What goes wrong, in the server's words where it spoke (docs/api/subscribe.md, "Errors over HTTP", "Close codes").

/** A server that asks for more is asked again after this long. */
const LONGEST_WAIT_MS = 12e4;

/**
 * `code` is made for programs, `message` and `cure` for people. `retryable`: the same may work later. Where they are
 * known: `channel`, `field`, `status` (HTTP), `retryAfter` (ms).
 */
export class FanoutError extends Error {
  constructor(code, message, more) {
    super(message);
    this.name = "FanoutError";
    this.code = code;
    this.cure = "";
    this.retryable = true;
    Object.assign(this, more);
  }
}

/** The error that a message of type `error`, or an answer's `error`, tells; `more` is what else is known of it. */
export function errorFrom({ code, message, retry_after_s: seconds = 0, type, ...said }, more) {
  return new FanoutError(code, message, { retryAfter: Math.min(1000 * seconds, LONGEST_WAIT_MS), ...said, ...more });
}

/** The error of an answer that is no success. One without our JSON is a proxy's: the next transport may get through. */
export async function readRefusal(response) {
  const { status } = response;
  let said;
  try {
    said = (await response.json()).error;
  } catch {
    // not ours
  }
  const isOurs = !!said?.code;
  return errorFrom(
    {
      code: "http_" + status,
      message: "the server answered " + status,
      retry_after_s: +response.headers.get("retry-after") || 0,
      ...said,
    },
    { status, _isOurs: isOurs, _isDenied: isOurs && status === 401, retryable: !isOurs || status === 429 || status > 499 },
  );
}

/** The error of a WebSocket that was closed; `said` is the `error` message that came before. */
export function readClose({ code, reason }, said) {
  const isOurs = code > 2999;
  return errorFrom(
    {
      code: reason || (code === 1000 ? "ended" : "connection_lost"),
      message: `the connection was closed (${code}${reason && " " + reason})`,
      ...said,
    },
    {
      _isOurs: isOurs,
      _isDenied: code === 3401 || code === 4401,
      _isSoon: code > 3999 && code < 4500,
      retryable: code !== 1000 && !(isOurs && code < 4000),
    },
  );
}
