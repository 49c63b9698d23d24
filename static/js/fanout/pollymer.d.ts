/** Types of the `Request` for pages that were written for Pollymer: docs/howto/move-from-pollymer.md. */

export const TransportTypes: { readonly Auto: 0; readonly Xhr: 1; readonly Jsonp: 2 };
export const ErrorTypes: { readonly TransportError: 0; readonly TimeoutError: 1 };

export interface RequestOptions {
  transport?: number;
  /** Results are text, also where they are JSON. */
  rawResponse?: boolean;
  /** -1: without end. */
  maxTries?: number;
  /** Milliseconds: the bound of the random part of delays. */
  maxDelay?: number;
  /** Start again after a 2xx. */
  recurring?: boolean;
  withCredentials?: boolean;
  /** Milliseconds for a try. */
  timeout?: number;
  /** Codes and ranges that count as failures, such as `500,502-599`. */
  errorCodes?: string;
}

export interface LastRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly transport: number;
}

export type Finished = (this: Request, code: number, result: any, headers: Record<string, string>) => void;
export type Failed = (this: Request, reason: 0 | 1) => void;

export interface Request extends Required<RequestOptions> {}

export class Request {
  constructor(options?: RequestOptions);
  readonly lastRequest: LastRequest | null;
  start(method: string, url: string | (() => string), headers?: Record<string, string>, body?: string): void;
  retry(): void;
  abort(): void;
  on(name: "finished", handler: Finished): () => void;
  on(name: "error", handler: Failed): () => void;
  off(name: "finished" | "error", handler?: Finished | Failed): void;
}

export const Pollymer: {
  readonly Request: typeof Request;
  readonly ErrorTypes: typeof ErrorTypes;
  readonly TransportTypes: typeof TransportTypes;
  logger: ((type: string, message: string) => void) | null;
};
