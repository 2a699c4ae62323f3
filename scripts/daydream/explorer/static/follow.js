// A page that follows a run (`daydream.explorer.follow`): it loads itself again, and keeps its place.

const FOLLOWING = "daydream-follow", PLACE = "daydream-place";

// A page from a file may have no storage; then what is kept lasts as long as the page.
function stored(storage, name, value) {
  try {
    if (value !== undefined) storage().setItem(name, value);
    return storage().getItem(name);
  } catch {
    return null;
  }
}

class Follower {
  // `busy` tells whether a reader would lose something; `place` returns what is to be kept.
  constructor({ every, made }, outline, { busy, place }) {
    Object.assign(this, { every, busy, place });
    this.on = every > 0 && stored(() => localStorage, FOLLOWING) !== "off";
    const done = outline.rows.filter((node) => outline.complete(node)).length;
    const whole = outline.rows.length;
    this.button = h("button", { type: "button", id: "follow", onclick: () => this.#turn() });
    this.bar = h("section", { id: "live", "aria-label": "Run" },
      h("progress", { max: whole, value: done, "aria-label": "Complete" }),
      h("span", {}, `${done.toLocaleString("en")} of ${whole.toLocaleString("en")} complete at ${made}`),
      every > 0 ? this.button : h("span", {}, "It follows no run any more."));
    this.#wait();
  }

  #turn() {
    this.on = !this.on;
    stored(() => localStorage, FOLLOWING, this.on ? "on" : "off");
    this.#wait();
  }

  #wait() {
    this.button.setAttribute("aria-pressed", String(this.on));
    this.button.textContent = this.on ? "Following" : "Follow";
    this.button.title = `Load the page again every ${this.every} s`;
    clearTimeout(this.timer);
    if (this.on) this.timer = setTimeout(() => this.#load(), 1000 * this.every);
  }

  #load() {
    if (this.busy()) {
      this.timer = setTimeout(() => this.#load(), 1000);
      return;
    }
    stored(() => sessionStorage, PLACE, JSON.stringify({ ...this.place(), at: location.hash }));
    location.reload();
  }
}

// What was kept of this page before it loaded itself again; null if it is another one, or another view.
function keptPlace() {
  const kept = JSON.parse(stored(() => sessionStorage, PLACE) ?? "null");
  try {
    sessionStorage.removeItem(PLACE);
  } catch { /* As above. */ }
  return kept?.at === location.hash ? kept : null;
}
