// Publishing an edited copy of an item: the server gives the form with the whole of it, and says what became of it.

export class ItemDialog {
  constructor(dialog, body) {
    this.dialog = dialog;
    this.body = body;
    dialog.addEventListener("click", (event) => {
      if (event.target.closest("[data-close]")) dialog.close();
    });
    dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(event.target);
    });
  }

  /** Open with the item of a `published` event, or with an example. */
  async open(event) {
    const query = event?.position ? `?${new URLSearchParams({ channel: event.channel, position: event.position })}` : "";
    await this.fill(this.dialog.dataset.source + query, {});
    if (!this.dialog.open) this.dialog.showModal();
    this.body.querySelector("textarea")?.focus();
  }

  async send(form) {
    form.querySelector("[type=submit]").disabled = true;
    await this.fill(form.action, { method: "POST", body: new FormData(form) });
    this.body.querySelector("[type=submit]")?.focus();
  }

  async fill(url, request) {
    try {
      const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(10_000) });
      if (answer.redirected || [403, 404].includes(answer.status)) throw new Error("signed out");
      this.body.innerHTML = await answer.text(); // from our own server, which has escaped what is in it
    } catch (error) {
      const words = error.message === "signed out" ? "You are no longer signed in, or may not publish here." : "The server does not answer; try again.";
      const notice = document.createElement("p");
      notice.className = "notice notice-error";
      notice.setAttribute("role", "alert");
      notice.textContent = words;
      this.body.querySelectorAll(":scope > .notice").forEach((node) => node.remove());
      this.body.prepend(notice);
      this.body.querySelector("[type=submit]")?.removeAttribute("disabled");
    }
  }
}
