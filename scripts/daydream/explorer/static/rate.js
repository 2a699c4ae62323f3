// Rating by people: texts, or pairs of texts, without a word of what made them.
//
// Answers are kept in the browser's storage as they are given, so that a reload goes on where one was,
// and leave it as a CSV file, which `daydream.catalog.ratings` reads.

const RATED_HEADER = [
  "rater", "cohort", "stage", "template", "gen_id", "text_sha256", "score",
  "other_gen_id", "other_sha256", "choice", "comment", "rated_at", "seed",
  "score_min", "score_max",
];
const CHOICES = [["a", "A is better", "←"], ["tie", "A tie", "0"], ["b", "B is better", "→"]];
// Enough digits to tell a text from what it was before it was made again.
const DIGEST = 16;

class Rating {
  // `actions.leave` shows the rest of the page again.
  constructor(box, outline, texts, actions) {
    Object.assign(this, { box, outline, texts, actions, items: [], place: 0 });
    this.key_ = `daydream-ratings:${outline.index.cohort}`;
    this.state = { rater: "", plan: null, answers: [] };
    // The answers by what they are about.
    this.known = new Map();
    this.keeps = true;
  }

  get criterion() {
    return criterionOf(this.outline, this.state.plan);
  }

  async open() {
    this.#read();
    if (this.state.plan) await this.#begin(this.state.plan); else this.#setup();
  }

  #read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key_));
      if (kept) this.state = kept;
      this.known = new Map(this.state.answers.map((each) => [this.#name(each.rater, each.ids, each.digests, each), each]));
    } catch {
      this.keeps = false;
    }
    if (this.state.plan && !this.criterion) this.state.plan = null;
  }

  #keep() {
    try {
      localStorage.setItem(this.key_, JSON.stringify(this.state));
      this.keeps = true;
    } catch {
      this.keeps = false;
    }
  }

  // Which texts, by whom

  #setup() {
    const { criteria, stages } = this.outline.index;
    const plan = this.state.last ?? { kind: "single", seed: "1", size: 20 };
    const chosen = criterionOf(this.outline, plan);
    const field = (name, input) => h("label.field", {}, name, input);
    const asked = h("p.hint", { id: "rate-asked" }, (chosen ?? criteria[0]).description);
    const needed = h("p.hint", { id: "rate-needed" });
    const by = h("select", {
      name: "criterion", "aria-describedby": asked.id,
      onchange: () => { asked.textContent = criteria[by.value].description; need(); },
    }, criteria.map((each, number) => h("option", { value: number, selected: each === chosen },
        `${each.label}, ${each.low} to ${each.high} (${plural(2, stages[each.stage].name).slice(2)})`)));
    const kind = h("select", { name: "kind", onchange: () => need() },
      [["single", "single texts"], ["pair", "pairs of texts"]].map(([value, name]) =>
        h("option", { value, selected: value === plan.kind }, name)));
    const need = () => {
      needed.hidden = kind.value === "pair";
      needed.textContent = this.#needed(criteria[by.value]);
    };
    need();
    const form = h("form", {
      "aria-label": "What to rate",
      onsubmit: (event) => { event.preventDefault(); this.#start(new FormData(form)); },
    },
    h("h2", {}, "Rate texts blind"),
    h("p", {}, "You see texts without what made them: no recipe, combo or score of a judge."),
    field("Your name", h("input", { name: "rater", required: true, value: this.state.rater, autocomplete: "off" })),
    field("What", kind),
    field("By", by), asked,
    field("How many", h("input", { name: "size", type: "number", min: 1, max: 2000, required: true, value: plan.size, "aria-describedby": needed.id })),
    needed,
    field("Seed", h("input", { name: "seed", required: true, value: plan.seed, autocomplete: "off" })),
    h("p.hint", {}, "The seed draws the texts, equally many of each recipe. The same seed gives all raters the same texts; keep it, as nothing adjusts for stricter raters."),
    h("div.line", {}, h("button.primary", { type: "submit" }, "Begin"), this.#exportButton(), this.#leaveButton()),
    this.#told());
    this.box.replaceChildren(form);
    form.querySelector(this.state.rater ? "[type=submit]" : "[name=rater]").focus();
  }

  // How many texts give the means that people would give (docs/ratings.md): one of each recipe for a
  // mean, and of three combos for its interval.
  #needed(criterion) {
    const recipes = recipesOf(textsOf(this.outline, criterion), this.outline).size;
    const count = (number) => number.toLocaleString("en");
    return recipes === 1 ? "These are texts of one recipe: at least 3, of three combos, for a mean with an interval."
      : `These are texts of ${count(recipes)} recipes: at least ${count(recipes)} for a mean of all, ${count(3 * recipes)} for an interval of each recipe.`;
  }

  #start(given) {
    this.state.rater = given.get("rater").trim().replace(/\s+/g, " ").normalize();
    if (!this.state.rater) return;
    const { judged, template } = this.outline.index.criteria[given.get("criterion")];
    this.state.last = {
      kind: given.get("kind"), judged, template,
      seed: given.get("seed").trim(), size: Number(given.get("size")),
    };
    this.state.plan = this.state.last;
    this.#keep();
    this.#begin(this.state.plan);
  }

  // Draw the items, and go on at the first without an answer.
  async #begin(plan) {
    const nodes = drawn(this.outline, plan);
    if (!nodes.length) {
      this.state.plan = null;
      this.#setup();
      this.#tell(plan.kind === "pair" ? "No combo has texts of two recipes." : "There are no texts of this stage.");
      return;
    }
    this.items = await Promise.all(nodes.map(async (pair) => {
      const texts = await Promise.all(pair.map(async (node) => (await this.texts.of(node.row))[PARSED]));
      return { ids: pair.map((node) => this.outline.id(node)), texts, digests: await Promise.all(texts.map(digestOf)) };
    }));
    this.place = Math.max(0, this.items.findIndex((item) => !answered(this.#answer(item))));
    this.#show();
  }

  // One item

  // What has been said of an item, by this person on this criterion; a text that was made again is another, and so is another scale.
  #answer(item) {
    return this.known.get(this.#name(this.state.rater, item.ids, item.digests, this.criterion));
  }

  #name(rater, ids, digests, { judged, template, low, high }) {
    const scale = ids.length === 1 ? `${low} to ${high}` : "";
    return [rater, judged, template, scale, ...ids.map((id, side) => id + digests[side]).sort()].join("\n");
  }

  // Note something about the item that is shown.
  #say(what) {
    const item = this.items[this.place];
    let answer = this.#answer(item);
    if (!answer) {
      const { judged, template, low, high } = this.criterion;
      answer = { rater: this.state.rater, judged, template, low, high, score: null, choice: "", comment: "" };
      this.state.answers.push(answer);
      this.known.set(this.#name(answer.rater, item.ids, item.digests, answer), answer);
    }
    // The sides as they are shown now: a pair may have been drawn the other way round before.
    const turned = answer.ids && answer.ids[0] !== item.ids[0];
    if (turned) answer.choice = { a: "b", b: "a" }[answer.choice] ?? answer.choice;
    Object.assign(answer, what, {
      ids: item.ids, digests: item.digests, seed: this.state.plan.seed, at: new Date().toISOString().slice(0, 19) + "Z",
    });
    this.#keep();
    this.box.querySelector("#rated-count").textContent = this.#count();
    this.#tell(this.keeps ? "" : "This browser keeps nothing: export before you close the page.");
  }

  #count() {
    return `${this.items.filter((each) => answered(this.#answer(each))).length} rated`;
  }

  #choice(item) {
    const answer = this.#answer(item);
    if (!answer) return "";
    return answer.ids[0] === item.ids[0] ? answer.choice : { a: "b", b: "a" }[answer.choice] ?? answer.choice;
  }

  #show() {
    const item = this.items[this.place];
    const { plan, rater } = this.state;
    const answer = this.#answer(item);
    const { label, description } = this.criterion;
    const texts = item.texts.map((text, side) => h("section.column", { "aria-label": plan.kind === "pair" ? `Text ${"AB"[side]}` : "Text" },
      plan.kind === "pair" ? h("h2", {}, "AB"[side]) : null, blindText(text)));
    const comment = h("textarea", {
      "aria-label": "Comment", placeholder: "Comment  (c)", rows: 2,
      oninput: (event) => this.#say({ comment: event.target.value }),
    });
    comment.value = answer?.comment ?? "";
    this.box.replaceChildren(
      h("div.rate-head", {},
        h("strong", {}, `${this.place + 1} of ${this.items.length}`),
        h("span", { id: "rated-count" }, this.#count()),
        h("span", {}, label), description ? h("span.quiet", {}, description) : null,
        h("span.quiet", {}, `${rater} · seed ${plan.seed}`),
        h("span.rate-tools", {}, this.#exportButton(),
          h("button", { type: "button", onclick: () => this.#change() }, "Change"), this.#leaveButton())),
      h(plan.kind === "pair" ? "div.rate-texts.columns" : "div.rate-texts", { tabindex: 0, role: "region", "aria-label": "Texts to rate" }, texts),
      h("div.rate-tail", {}, plan.kind === "pair" ? this.#choices(item) : this.#scale(answer), comment,
        h("button", { type: "button", disabled: this.place === 0, onclick: () => this.#go(-1), title: "Backspace" }, "Back"),
        h("button", { type: "button", onclick: () => this.#go(1), title: "s" }, "Skip"),
        h("button.primary", { type: "button", onclick: () => this.#next(), title: "Enter" }, "Next"),
        this.#told()));
    this.#await();
  }

  // Put the focus where an answer is given: keys count there.
  #await() {
    this.box.querySelector(this.#typed() ? "input[type=number]" : ".rate-texts").focus();
  }

  // Whether scores have a digit each, and so a key; others are typed.
  #typed() {
    const { low, high } = this.criterion;
    return this.state.plan.kind === "single" && !(Number.isInteger(low) && Number.isInteger(high) && low >= 0 && high <= 9);
  }

  #scale(answer) {
    const { low, high } = this.criterion;
    if (this.#typed()) {
      return h("label.field", {}, `Score, ${low} to ${high}`, h("input", {
        type: "number", min: low, max: high, step: "any", value: answer?.score ?? "",
        oninput: (event) => {
          const score = event.target.value === "" ? null : Number(event.target.value);
          this.#say({ score: score !== null && score >= low && score <= high ? score : null });
        },
      }));
    }
    const scores = Array.from({ length: high - low + 1 }, (_, place) => low + place);
    return h("div.segments.scale", { role: "group", "aria-label": "Score" }, scores.map((score) => h("button", {
      type: "button", "aria-pressed": String(answer?.score === score), "data-answer": score, onclick: () => this.#choose({ score }),
    }, score)));
  }

  #choices(item) {
    return h("div.segments.scale", { role: "group", "aria-label": "Which is better?" }, CHOICES.map(([choice, name, key]) => h("button", {
      type: "button", "aria-pressed": String(this.#choice(item) === choice), "data-answer": choice, title: key,
      onclick: () => this.#choose({ choice }),
    }, name)));
  }

  #choose(what) {
    this.#say(what);
    const chosen = String(Object.values(what)[0]);
    for (const button of this.box.querySelectorAll("[data-answer]")) {
      button.setAttribute("aria-pressed", String(button.dataset.answer === chosen));
    }
  }

  // To the next item, once this one has an answer; after the last to the first without any.
  #next() {
    if (!answered(this.#answer(this.items[this.place]))) {
      this.#tell(this.state.plan.kind === "pair" ? "Choose one first." : "Give a score first.");
      this.#await();
      return;
    }
    if (this.place + 1 < this.items.length) this.#go(1);
    else this.#finish();
  }

  #go(by) {
    this.place = Math.min(Math.max(this.place + by, 0), this.items.length - 1);
    this.#show();
  }

  #finish() {
    const open = this.items.findIndex((item) => !answered(this.#answer(item)));
    if (open >= 0) {
      this.place = open;
      this.#show();
      this.#tell("This one has no answer yet.");
      return;
    }
    this.box.replaceChildren(h("form", { "aria-label": "All rated", onsubmit: (event) => event.preventDefault() },
      h("h2", {}, `All ${this.items.length} rated`),
      h("p", {}, "Export them, and put the file in data/ratings of the project: the next run takes it in."),
      h("div.line", {}, this.#exportButton(),
        h("button", { type: "button", onclick: () => this.#go(0) }, "Look again"),
        h("button", { type: "button", onclick: () => this.#change() }, "Rate others"), this.#leaveButton()),
      this.#told()));
    this.box.querySelector(".export").focus();
  }

  #change() {
    this.state.plan = null;
    this.#keep();
    this.#setup();
  }

  // What leaves the page

  #exportButton() {
    return h("button.export", { type: "button", onclick: () => this.#export(), title: "Save the ratings as a CSV file" }, "Export");
  }

  #leaveButton() {
    return h("button", { type: "button", onclick: this.actions.leave, title: "Esc" }, "Leave");
  }

  #export() {
    const { rater, answers } = this.state;
    const here = answers.filter((each) => each.rater === rater && answered(each)
      && each.ids.every((id) => this.outline.byId.has(id)));
    if (!here.length) {
      this.#tell("There is nothing to export yet.");
      return;
    }
    const { cohort } = this.outline.index;
    const rows = here.map((each) => [
      rater, cohort, each.judged, each.template, each.ids[0], each.digests[0], each.score,
      each.ids[1], each.digests[1], each.choice, each.comment, each.at, each.seed, each.low, each.high,
    ].map((cell) => String(cell ?? "")));
    saveText(csvText([RATED_HEADER, ...rows]), `${`${cohort}-${rater}`.replace(/[^\p{L}\p{N}._-]+/gu, "_")}.csv`, "text/csv");
    this.#tell(`${plural(here.length, "rating")} exported.`);
  }

  #told() {
    return h("span", { id: "rate-told", role: "status" });
  }

  #tell(text) {
    const told = this.box.querySelector("#rate-told");
    if (told) told.textContent = text;
  }

  // Keys: tell whether one was its own.
  key(event) {
    const field = event.target.closest?.("input, select, textarea");
    if (event.key === "Escape") {
      if (field && this.state.plan) this.box.querySelector(".rate-texts")?.focus();
      else this.actions.leave();
      return true;
    }
    if (!this.box.querySelector(".rate-texts")) return false;
    if (event.key === "Enter" && !event.shiftKey && !event.target.closest?.("button")) {
      this.#next();
      return true;
    }
    if (field) return false;
    const action = this.#action(event.key);
    action?.();
    return Boolean(action);
  }

  #action(key) {
    const common = {
      Backspace: () => this.#go(-1), s: () => this.#go(1), c: () => this.box.querySelector("textarea").focus(),
    };
    if (common[key]) return common[key];
    if (this.state.plan.kind === "pair") {
      const choice = { ArrowLeft: "a", ArrowRight: "b", 1: "a", 2: "b", 0: "tie", a: "a", b: "b", t: "tie" }[key];
      return choice && (() => this.#choose({ choice }));
    }
    const { low, high } = this.criterion;
    const digit = /^\d$/.test(key) ? Number(key) : null;
    if (digit !== null && digit >= low && digit <= high && !this.#typed()) return () => this.#choose({ score: digit });
    if (!["ArrowLeft", "ArrowRight"].includes(key) || this.#typed()) return null;
    const now = this.#answer(this.items[this.place])?.score ?? null;
    const step = key === "ArrowRight" ? 1 : -1;
    const score = now === null ? (step > 0 ? low : high) : Math.min(Math.max(now + step, low), high);
    return () => this.#choose({ score });
  }
}

function answered(answer) {
  return Boolean(answer && ((answer.score ?? null) !== null || answer.choice));
}

// Rendered where it is Markdown, as readers see it.
function blindText(text) {
  const reads = looksLikeMarkdown(text) ? renderMarkdown(text, null) : null;
  return reads ? h("div.rendered", { dir: "auto" }, reads) : h("div.text", { dir: "auto" }, text);
}

// The first digits of the SHA-256 of a text; empty where the browser has no digests for the page.
async function digestOf(text) {
  if (!globalThis.crypto?.subtle) return "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, DIGEST);
}
