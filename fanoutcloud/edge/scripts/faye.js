/* A Bayeux client with the interface of Faye's, for pages that load /bayeux/static/faye-browser-min.js of a realm.

   It has what pages of the old service use: Client, subscribe, unsubscribe, publish, disconnect, extensions, headers, and
   the events transport:up and transport:down. It goes over WebSocket, or over long-polling where that does not open. */
(function (root) {
  "use strict";

  const TYPES = ["websocket", "cross-origin-long-polling", "long-polling"];
  const EXTRA_WAIT_MS = 15000; // behind the time in which a held connect is answered

  /* What has a result later: `then`, and the older `callback` and `errback`. */
  class Deferred {
    constructor() {
      this._promise = new Promise((resolve, reject) => {
        this._resolve = resolve;
        this._reject = reject;
      });
      this._promise.catch(() => {}); // who does not ask is not told
    }
    then(done, failed) {
      return this._promise.then(done, failed);
    }
    catch(failed) {
      return this._promise.catch(failed);
    }
    callback(done, context) {
      this._promise.then((value) => done.call(context, value), () => {});
      return this;
    }
    errback(failed, context) {
      this._promise.catch((error) => failed.call(context, error));
      return this;
    }
  }

  class Subscription extends Deferred {
    constructor(client, channels, listener, context) {
      super();
      this._client = client;
      this._channels = channels;
      this._listener = listener;
      this._context = context;
    }
    withChannel(listener, context) {
      this._withChannel = [listener, context];
      return this;
    }
    cancel() {
      this._client._drop(this, this._channels);
    }
    unsubscribe() {
      this.cancel();
    }
    _receive(message) {
      if (this._listener) this._listener.call(this._context, message.data);
      if (this._withChannel) this._withChannel[0].call(this._withChannel[1], message.channel, message.data);
    }
  }

  function readError(text) {
    const parts = /^(\d{3}):([^:]*):(.*)$/.exec(text || "");
    const error = new Error(parts ? parts[3] : text || "the server can't be reached");
    error.code = parts ? Number(parts[1]) : null;
    error.params = parts ? parts[2].split(",") : [];
    return error;
  }

  class Client {
    constructor(endpoint, options) {
      this._endpoint = new URL(endpoint || "/bayeux", root.location && root.location.href).href;
      this._retryMs = 1000 * ((options || {}).retry || 5);
      this._disabled = new Set();
      this._headers = {};
      this._extensions = [];
      this._listeners = { "transport:up": [], "transport:down": [] };
      this._subscriptions = new Map(); // channel → Set of Subscription
      this._advice = { reconnect: "retry", interval: 0, timeout: 60000 };
      this._answers = new Map(); // id of a message → what takes its answer
      this._lastId = 0;
      this._state = "new";
      this._isUp = null;
      this._ready = null;
      if (root.addEventListener) root.addEventListener("beforeunload", () => this._leavePage());
    }

    // -- what pages call

    subscribe(channel, listener, context) {
      const channels = [].concat(channel);
      const subscription = new Subscription(this, channels, listener, context);
      const news = channels.filter((name) => !this._subscriptions.has(name));
      for (const name of channels) {
        if (!this._subscriptions.has(name)) this._subscriptions.set(name, new Set());
        this._subscriptions.get(name).add(subscription);
      }
      const asked = news.map((name) => this._whenReady(() => this._subscribe(name)));
      Promise.all(asked).then(subscription._resolve, (error) => {
        this._remove(subscription, channels);
        subscription._reject(error);
      });
      return subscription;
    }

    unsubscribe(channel) {
      for (const name of [].concat(channel)) {
        for (const subscription of [...(this._subscriptions.get(name) || [])]) this._drop(subscription, [name]);
      }
    }

    publish(channel, data) {
      const publication = new Deferred();
      this._whenReady(() => this._ask({ channel, data, clientId: this._clientId }))
        .then(publication._resolve, publication._reject);
      return publication;
    }

    connect(done, context) {
      this._whenReady(() => Promise.resolve()).then(() => done && done.call(context), () => {});
    }

    disconnect() {
      const over = new Deferred();
      const isOpen = this._state === "open";
      this._state = "left";
      this._subscriptions.clear();
      clearTimeout(this._timer);
      const said = isOpen ? this._ask({ channel: "/meta/disconnect", clientId: this._clientId }) : Promise.resolve();
      said.catch(() => {}).then(() => {
        if (this._polling) this._polling.abort();
        if (this._socket) this._socket.close();
        over._resolve();
      });
      return over;
    }

    addExtension(extension) {
      this._extensions.push(extension);
      if (extension.added) extension.added(this);
    }

    removeExtension(extension) {
      const at = this._extensions.indexOf(extension);
      if (at >= 0) this._extensions.splice(at, 1);
      if (at >= 0 && extension.removed) extension.removed(this);
    }

    disable(feature) {
      this._disabled.add(feature);
    }

    setHeader(name, value) {
      this._headers[name] = value;
    }

    on(event, listener, context) {
      this._listeners[event].push([listener, context]);
    }

    bind(event, listener, context) {
      this.on(event, listener, context);
    }

    // -- shaking hands, connecting, coming back

    _whenReady(work) {
      if (this._state === "left") return Promise.reject(readError("the client has disconnected"));
      if (this._state === "new") this._handshake();
      return this._state === "open" ? work() : this._opened().then(work);
    }

    _opened() {
      if (!this._ready) this._ready = new Deferred();
      return this._ready;
    }

    async _handshake() {
      this._state = "opening";
      const types = TYPES.filter((type) => !this._disabled.has(type));
      const message = { channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: types };
      let reply;
      try {
        reply = await this._ask(message, { isRaw: true });
      } catch (error) {
        reply = {};
      }
      if (this._state === "left") return;
      if (!reply.successful) {
        this._state = "new";
        const waitMs = (reply.advice && reply.advice.interval) || this._retryMs;
        if (this._advice.reconnect !== "none") this._timer = setTimeout(() => this._handshake(), waitMs);
        else if (this._ready) this._ready._reject(readError(reply.error));
        return;
      }
      this._clientId = reply.clientId;
      if (types.includes("websocket") && reply.supportedConnectionTypes.includes("websocket")) await this._openSocket();
      this._state = "open";
      const again = [...this._subscriptions.keys()];
      if (this._hasBeenOpen) for (const name of again) this._subscribe(name).catch(() => {});
      this._hasBeenOpen = true;
      const ready = this._ready;
      this._ready = null;
      if (ready) ready._resolve();
      this._connect();
    }

    async _connect() {
      if (this._state !== "open") return;
      const connectionType = this._socket ? "websocket" : TYPES[1];
      const clientId = this._clientId;
      try {
        await this._ask({ channel: "/meta/connect", clientId, connectionType }, { isRaw: true, isHeld: true });
      } catch (error) {
        await new Promise((done) => (this._timer = setTimeout(done, this._retryMs)));
        if (this._clientId === clientId && this._state === "open" && !this._disabled.has("websocket") && this._hadSocket) {
          await this._openSocket();
        }
      }
      if (this._clientId === clientId && this._state === "open") {
        this._timer = setTimeout(() => this._connect(), this._advice.interval);
      }
    }

    _takeAdvice(advice) {
      Object.assign(this._advice, advice);
      if (advice.reconnect === "handshake" && this._state === "open") {
        this._state = "new";
        this._clientId = null;
        if (this._socket) this._socket.close();
        this._timer = setTimeout(() => this._state === "new" && this._handshake(), this._advice.interval);
      }
    }

    // -- subscriptions

    /* Done when the server has agreed; what goes wrong on the way there is tried again. */
    async _subscribe(name) {
      for (;;) {
        try {
          return await this._ask({ channel: "/meta/subscribe", clientId: this._clientId, subscription: name });
        } catch (error) {
          const isRefused = error.code !== null && error.code !== 401; // 401: the server does not know this client any more
          if (isRefused || this._state === "left" || !this._subscriptions.has(name)) throw error;
          if (this._state === "open") await new Promise((done) => setTimeout(done, this._retryMs));
          await this._whenReady(() => Promise.resolve());
        }
      }
    }

    _remove(subscription, channels) {
      return channels.filter((name) => {
        const all = this._subscriptions.get(name);
        if (!all || !all.delete(subscription) || all.size) return false;
        return this._subscriptions.delete(name);
      });
    }

    _drop(subscription, channels) {
      for (const name of this._remove(subscription, channels)) {
        this._whenReady(() => this._ask({ channel: "/meta/unsubscribe", clientId: this._clientId, subscription: name }))
          .catch(() => {});
      }
    }

    // -- messages

    /* Send a message; the promise has its answer. Only raw answers may be unsuccessful. */
    async _ask(message, { isRaw = false, isHeld = false } = {}) {
      message.id = (++this._lastId).toString(36);
      const sent = await this._pipe("outgoing", message);
      if (!sent) return new Promise(() => {}); // an extension kept it
      const reply = await this._send(sent, isHeld);
      if (!isRaw && !reply.successful) throw readError(reply.error);
      return reply;
    }

    _pipe(stage, message) {
      return this._extensions.reduce(
        (before, extension) =>
          before.then((passed) => {
            if (!passed || !extension[stage]) return passed;
            return new Promise((done) => extension[stage](passed, done));
          }),
        Promise.resolve(message),
      );
    }

    _send(message, isHeld) {
      return new Promise((resolve, reject) => {
        const limitMs = (isHeld ? this._advice.timeout : 0) + EXTRA_WAIT_MS;
        const timer = setTimeout(() => fail(), limitMs);
        const fail = () => {
          clearTimeout(timer);
          this._answers.delete(message.id);
          this._tell(false);
          reject(readError());
        };
        const take = (reply) => {
          clearTimeout(timer);
          this._answers.delete(message.id);
          resolve(reply);
        };
        this._answers.set(message.id, { take, fail });
        if (this._socket && message.channel !== "/meta/handshake") this._socket.send(JSON.stringify([message]));
        else this._post(message, isHeld).catch(fail);
      });
    }

    async _post(message, isHeld) {
      const abort = new AbortController();
      if (isHeld) this._polling = abort;
      const answer = await fetch(this._endpoint, {
        method: "POST",
        headers: { ...this._headers, "Content-Type": "application/x-www-form-urlencoded" }, // asks no preflight
        body: "message=" + encodeURIComponent(JSON.stringify([message])),
        signal: abort.signal,
      });
      if (!answer.ok) throw readError(`${answer.status}::${answer.statusText}`);
      await this._receive(await answer.json());
      const left = this._answers.get(message.id);
      if (left) left.fail(); // it was not answered
    }

    async _receive(messages) {
      this._tell(true);
      for (const one of [].concat(messages)) {
        const message = await this._pipe("incoming", one);
        if (!message) continue;
        const answer = message.successful === undefined ? null : this._answers.get(message.id);
        if (message.advice) this._takeAdvice(message.advice);
        if (answer) answer.take(message);
        else if (message.data !== undefined) {
          for (const subscription of [...(this._subscriptions.get(message.channel) || [])]) {
            try {
              subscription._receive(message);
            } catch (error) {
              setTimeout(() => { throw error; }); // the page's own fault; others get their items
            }
          }
        }
      }
    }

    _tell(isUp) {
      if (this._isUp === isUp) return;
      this._isUp = isUp;
      for (const [listener, context] of this._listeners[isUp ? "transport:up" : "transport:down"]) listener.call(context);
    }

    // -- WebSocket

    /* Done when a WebSocket is open, or known not to open. */
    _openSocket() {
      return new Promise((done) => {
        if (!root.WebSocket) return done();
        const socket = new root.WebSocket(this._endpoint.replace(/^http/, "ws"));
        const timer = setTimeout(() => socket.close(), EXTRA_WAIT_MS);
        socket.onopen = () => {
          clearTimeout(timer);
          this._socket = socket;
          this._hadSocket = true;
          done();
        };
        socket.onclose = () => {
          if (this._socket === socket) {
            this._socket = null;
            for (const answer of [...this._answers.values()]) answer.fail();
          }
          clearTimeout(timer);
          done();
        };
        socket.onmessage = (event) => {
          this._received = (this._received || Promise.resolve()).then(() => this._receive(JSON.parse(event.data)));
        };
      });
    }

    _leavePage() {
      if (this._disabled.has("autodisconnect") || this._state !== "open") return;
      const goodbye = [{ channel: "/meta/disconnect", clientId: this._clientId }];
      if (this._socket) this._socket.send(JSON.stringify(goodbye));
      else if (navigator.sendBeacon) navigator.sendBeacon(this._endpoint, JSON.stringify(goodbye));
    }
  }

  const Faye = { Client, Deferrable: Deferred, VERSION: "1.4.3" };
  if (typeof module === "object" && module.exports) module.exports = Faye;
  else root.Faye = Faye;
})(typeof globalThis === "object" ? globalThis : this);
