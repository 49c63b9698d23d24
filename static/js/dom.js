// Building elements. Text is always set as text, never parsed as HTML.

/**
 * Make an element. `properties`: `class`, `text`, `data` (an object of data attributes); others become attributes.
 */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Show a state in a pill: "live", "waiting" or "down" for its colour, and the words. */
export function showState(pill, state, words) {
  pill.dataset.state = state;
  if (pill.textContent !== words) pill.textContent = words;
}

let clockFormat; // made when first used: it takes a phone long

/** The time of day of `at`, in seconds since 1970. */
export function clock(at) {
  clockFormat ??= new Intl.DateTimeFormat(undefined, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  return clockFormat.format(new Date(at * 1000));
}

/** The same, with milliseconds. */
export function clockExact(at) {
  return `${clock(at)}.${String(Math.floor((at % 1) * 1000)).padStart(3, "0")}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** The text with a capital and a full stop; names such as `items[0]` at its beginning stay as they are. */
export function sentence(text) {
  if (!text) return "";
  const begun = /^[a-z]+[ ,]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return begun + (/[.!?]$/.test(begun) ? "" : ".");
}
