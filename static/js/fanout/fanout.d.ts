/** Types of fanout.js. What each thing does: docs/api/fanout-js.md. */

export type Transport = "ws" | "sse" | "stream" | "poll";
/** A page that shares a connection has "shared", whatever the tab that leads has. */
export type UsedTransport = Transport | "shared";
export type State = "idle" | "connecting" | "connected" | "reconnecting" | "paused" | "failed" | "closed";
/** A place in a channel: opaque, equal on every transport and server. */
export type Position = string;
export type Unsubscribe = () => void;

export class FanoutError extends Error {
  constructor(code: string, message: string, more?: object);
  readonly code: string;
  readonly cure: string;
  readonly retryable: boolean;
  readonly channel?: string;
  readonly field?: string;
  /** The HTTP status, if there was an answer. */
  readonly status?: number;
  /** Milliseconds. */
  readonly retryAfter?: number;
}

export interface Item<Data = unknown> {
  readonly channel: string;
  readonly position: Position;
  /** What the publisher gave: JSON, or text, or bytes (`Uint8Array`). */
  readonly data: Data;
  readonly id?: string;
  readonly tags?: Readonly<Record<string, string | number | boolean>>;
  /** Who published it, if that was a client with a token. */
  readonly user?: string;
  /** In history only: RFC 3339, UTC. */
  readonly published_at?: string;
}

export interface TokenRequest {
  readonly reason: "connect" | "expiring" | "denied";
}

/** Times are in milliseconds, but for `pollTimeout`. */
export interface Options {
  /** A token that does not change. */
  token?: string;
  /** Gives a token; `null`: nobody is signed in. A promise that is rejected means "not now". */
  getToken?: (request: TokenRequest) => string | null | Promise<string | null>;
  /** Which, and in which order. */
  transports?: readonly Transport[];
  /** Where channels begin. */
  positions?: Readonly<Record<string, Position>>;
  /** One connection for all tabs of this site and user. */
  share?: boolean;
  /** Keep positions over a reload of the page, in `sessionStorage`. */
  persist?: boolean;
  readyTimeout?: number;
  connectTimeout?: number;
  publishTimeout?: number;
  /** Seconds. */
  pollTimeout?: number;
  firstDelay?: number;
  longestDelay?: number;
  calmAfter?: number;
  grace?: number;
  closeAfter?: number;
  /** 0: a hidden page stays connected. */
  pauseAfter?: number;
  upgradeAfter?: number;
}

export interface WishOptions {
  /** Which items, by their tags: `priority >= 3 and kind in ('a', 'b')`. */
  filter?: string;
  /** Have items sent as what has changed; `data` is whole all the same. */
  delta?: boolean | "merge-patch";
}

export interface ChannelOptions extends WishOptions {
  /** Where to begin. */
  since?: Position;
  /** Begin with so many items that are kept. */
  history?: number;
  /** Have `presence` told. */
  presence?: boolean;
}

export interface Member {
  readonly user: string;
  readonly info?: unknown;
}

export interface Presence {
  readonly channel: string;
  /** Users, however many connections each has. */
  readonly count: number;
  /** Connections without a user. */
  readonly anonymous: number;
  readonly members: readonly Member[];
  readonly joined: readonly Member[];
  readonly left: readonly string[];
  /** There are more than are named. */
  readonly partial?: boolean;
  readonly cursor?: string;
}

export interface PresencePage {
  readonly channel: string;
  readonly count: number;
  readonly anonymous: number;
  readonly members: readonly Member[];
  readonly cursor?: string;
}

export interface HistoryPage<Data = unknown> {
  readonly items: readonly Item<Data>[];
  readonly position: Position | null;
  readonly has_more: boolean;
  readonly lost: "history_expired" | "epoch_changed" | null;
}

export interface Place {
  readonly channel?: string;
  readonly position?: Position;
}

export interface ChannelEvents<Data = unknown> {
  item: Item<Data>;
  subscribed: Place & { readonly recovered?: boolean };
  /** The place was kept: what was missed follows. */
  recovered: Place;
  /** Items were lost: load your state anew. */
  reset: Place & { readonly reason: "history_expired" | "epoch_changed" | "slow_reader" };
  presence: Presence;
  error: FanoutError;
  unsubscribed: FanoutError | undefined;
}

export interface Channel<Data = unknown> extends AsyncIterable<Item<Data>> {
  readonly name: string;
  readonly position: Position | undefined;
  readonly members: ReadonlyMap<string, Member>;
  subscribe(handler: (item: Item<Data>) => void): Unsubscribe;
  publish(data: Data, options?: { id?: string }): Promise<{ channel: string; id: string; position: Position }>;
  history(options?: { limit?: number; before?: Position; after?: Position }): Promise<HistoryPage<Data>>;
  presence(options?: { limit?: number; cursor?: string }): Promise<PresencePage>;
  on<Name extends keyof ChannelEvents>(name: Name, handler: (event: ChannelEvents<Data>[Name]) => void): Unsubscribe;
}

export interface Pattern<Data = unknown> extends AsyncIterable<Item<Data>> {
  readonly name: string;
  subscribe(handler: (item: Item<Data>) => void): Unsubscribe;
  on<Name extends Exclude<keyof ChannelEvents, "presence">>(
    name: Name,
    handler: (event: ChannelEvents<Data>[Name]) => void,
  ): Unsubscribe;
}

export interface StateChange {
  readonly state: State;
  readonly previous: State;
  readonly reason?: FanoutError;
  /** Milliseconds until the next try. */
  readonly retryIn?: number;
  readonly transport?: UsedTransport;
}

export interface ClientEvents {
  state: StateChange;
  error: FanoutError;
  /** Every message of the server, as it came. */
  message: Readonly<Record<string, unknown>> & { readonly type: string };
}

export class Fanout {
  constructor(site: string | URL, options?: Options);
  readonly site: string;
  readonly state: State;
  readonly transport: UsedTransport | undefined;
  readonly positions: ReadonlyMap<string, Position>;
  channel<Data = unknown>(name: string, options?: ChannelOptions): Channel<Data>;
  pattern<Data = unknown>(text: string, options?: WishOptions): Pattern<Data>;
  connect(): void;
  close(): void;
  on<Name extends keyof ClientEvents>(name: Name, handler: (event: ClientEvents[Name]) => void): Unsubscribe;
}
