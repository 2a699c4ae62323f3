// The pane: one generation, two side by side, or a combo.

const TABS = ["Parsed text", "Raw answer", "Prompt", "Metadata", "Journal"];
const FILES = ["parsed.txt", "raw.txt", "prompt.txt", "metadata.json", "responses/"];
// What a reader calls the phases, in the order in which they are made, and their tabs.
const PHASES = { prompt: ["prompt", PROMPT], raw: ["answer", RAW], parsed: ["parsed text", PARSED] };
// A diff that takes longer than this is not worth waiting for, nor reading.
const PATIENCE = 1500;

class Reader {
  constructor(pane, outline, texts, actions) {
    Object.assign(this, { pane, outline, texts, actions });
    this.shown = 0;
  }

  // Show a node, beside `other` if that is given. `tab` is the number of a tab, `pattern` is marked;
  // with `source` a text in Markdown is shown as it is written.
  async show(node, { other = null, pinned = null, tab, source = false, pattern = null }) {
    this.shown += 1;
    this.source = source;
    const call = this.shown;
    if (!node) return this.#fill(h("p.empty", {}, "Choose a generation on the left."));
    if (node.row < 0) return this.#fill(this.#combo(node));
    const nodes = other ? [other, node] : [node];
    const texts = await Promise.all(nodes.map((each) => this.texts.of(each.row)));
    if (call !== this.shown) return undefined;
    const body = other
      ? this.#comparison(nodes, texts, tab)
      : this.#single(node, texts[0], tab, pattern, pinned);
    this.#fill(body);
    if (pattern && !other) this.step(1);
    return undefined;
  }

  #fill(body) {
    this.pane.replaceChildren(body);
    this.pane.scrollTop = 0;
    this.place = -1;
  }

  // Go to the next (or, by -1, the previous) place that is marked.
  step(by) {
    const places = [...this.pane.querySelectorAll("mark, .text del, .text ins")];
    if (!places.length) return;
    places[this.place]?.classList.remove("here");
    this.place = (this.place + by + places.length) % places.length;
    places[this.place].classList.add("here");
    places[this.place].closest("details.thinking")?.setAttribute("open", "");
    places[this.place].scrollIntoView({ block: "center" });
  }

  #single(node, texts, tab, pattern, pinned) {
    const hits = texts.slice(0, 3).map((text) => (pattern && text ? [...text.matchAll(pattern)].length : 0));
    const compare = h("button", { type: "button", onclick: this.actions.compare, title: "Compare (c)" },
      pinned ? "Do not compare" : "Compare with …");
    return h("article.single", {},
      this.#back(),
      this.#crumbs(node),
      h("div.head", {}, this.#heading(node), compare),
      pinned ? h("p.pinned", {}, "Choose the other one on the left. Esc ends the comparison.") : null,
      this.#marks(node),
      this.#tabs(tab, hits, texts[JOURNAL].length, this.outline.edited(node)),
      h("div.page", {},
        h("div.body", {},
          h("div", { role: "tabpanel", id: "panel", "aria-labelledby": `tab${tab}` },
            this.#content(node, texts, tab, pattern)),
          tab === PARSED ? this.#judgements(node) : null),
        this.#aside(node)));
  }

  #comparison(nodes, texts, tab) {
    const sides = texts.map((each) => comparable(each, tab));
    const difference = sides.every((side) => side !== null) ? compareTexts(...sides) : null;
    const columns = nodes.map((node, side) => {
      const text = sides[side];
      const parts = difference?.sides[side];
      const body = tab === JOURNAL ? this.#content(node, texts[side], tab, null)
        : text === null ? missing(tab)
        : textBlock(parts ?? [text], tab);
      return h("section.column", {},
        this.#crumbs(node), h("div.head", {}, this.#heading(node)), this.#unlike(nodes, side),
        this.#marks(node), body);
    });
    return h("article.comparison", {},
      this.#back(),
      h("div.head", {},
        h("p.summary", {}, tab === JOURNAL ? "Journals side by side." : difference?.summary ?? "Nothing to compare."),
        h("button", { type: "button", onclick: this.actions.swap, title: "Change the sides (x)" }, "Swap"),
        h("button", { type: "button", onclick: this.actions.compare, title: "End the comparison (c)" }, "Close")),
      this.#tabs(tab, [], null, []),
      h("div.columns", { role: "tabpanel", id: "panel", "aria-labelledby": `tab${tab}` }, columns));
  }

  // What the judges of a text gave it, and why, the furthest from the others first.
  #judgements(node) {
    const { outline } = this;
    const judged = node.children.filter((child) => outline.scored(child) && outline.share(child) !== null);
    const people = outline.people(node).map(({ rater, template, score, comment }) => h("li.person", {},
      h("h3", {}, h("strong.score", {}, score), h("span", { dir: "auto" }, `${rater} · ${template}`), h("small", {}, "human")),
      comment ? h("div.text.reason", { dir: "auto" }, comment) : null));
    const rated = people.length ? [h("h2", {}, `Rated by people: ${people.length === 1 ? "once" : `${people.length} times`}`),
      h("ul", {}, people)] : null;
    if (!judged.length) return rated && h("section.judgements", { "aria-label": "Judgements" }, rated);
    const mean = outline.share(node);
    const off = (child) => Math.abs(outline.share(child) - mean);
    judged.sort((a, b) => off(b) - off(a));
    const items = judged.map((child) => {
      const reason = h("div.text.reason", { dir: "auto" }, "…");
      this.texts.of(child.row).then(([, raw]) => {
        reason.replaceChildren(raw === null ? "There is no current raw.txt." : structured(raw) ?? raw);
      });
      return h("li", {},
        h("h3", {}, h("strong.score", {}, outline.scoreText(child)),
          h("a", { href: this.actions.link(child) }, outline.judgeOf(child)),
          outline.varying[outline.ownDimensions[child.stage][2]]
            ? h("span", {}, `#${outline.level(child, outline.ownDimensions[child.stage][2])}`) : null),
        reason);
    });
    return h("section.judgements", { "aria-label": "Judgements" },
      h("h2", {}, this.#judged(node, judged)),
      h("ul", {}, items), rated);
  }

  #judged(node, judged) {
    const { outline } = this;
    if (judged.length === 1) return `Judged once: ${outline.scoreText(judged[0])}`;
    const judges = new Set(judged.map((child) => outline.judgeOf(child))).size;
    const median = outline.index.panel === "median" && judges > 1;
    return `Judged ${judged.length} times: ${median ? `median ${outline.scoreText(node)} of ${judges} judges`
      : `${outline.scoreText(node)} on average`}`;
  }

  #combo(node) {
    const { index } = this.outline;
    const subject = index.subjects[node.levels.get(0)];
    return h("article.single", {},
      this.#back(),
      h("div.head", {}, h("h2", { dir: "auto" }, this.outline.title(node)), h("code.id", {}, this.outline.id(node))),
      h("div.page", {},
        h("div.body", {},
          h("dl.pairs", {}, subject.map(([name, value, text]) => [h("dt", { dir: "auto" }, name),
            text === undefined ? h("dd", { dir: "auto" }, value)
              : h("dd", {}, h("small", {}, value), h("div.text", { dir: "auto" }, text))]))),
        h("aside", {}, this.#children(node))));
  }

  #back() {
    return h("button.plain.back", { type: "button", onclick: this.actions.back }, "‹ All generations");
  }

  #crumbs(node) {
    const line = [];
    for (let at = node.parent; at; at = at.parent) {
      line.unshift(h("a", { href: this.actions.link(at) }, this.outline.title(at)),
        h("span.arrow", { "aria-hidden": "true" }, "›"));
    }
    return h("nav.crumbs", { "aria-label": `Lineage of ${this.outline.title(node)} ${this.outline.id(node)}` }, line.slice(0, -1));
  }

  #heading(node) {
    const { outline } = this;
    const score = outline.scored(node) ? outline.scoreText(node) : "";
    return h("div.heading", {},
      h(`span.stage.s${node.stage % 6}`, {}, outline.index.stages[node.stage].name),
      h("h2", { dir: "auto" }, outline.title(node)),
      score ? h("strong.score", {}, score, h("small", {}, ` of ${this.#highest(node)}`)) : null,
      h("a.id", { href: this.actions.link(node), title: "A link to this generation" }, outline.id(node)));
  }

  #highest(node) {
    const { rows, scales } = this.outline.index;
    return this.outline.unit ? "100 %" : String(scales[rows.scale[node.row]][1]);
  }

  // In what two generations differ by design.
  #unlike(nodes, side) {
    const { outline } = this;
    const unlike = [...outline.index.dimensions.keys()].filter((d) => outline.varying[d]
      && nodes[0].levels.get(d) !== nodes[1].levels.get(d) && nodes[side].levels.has(d));
    if (!unlike.length) return h("p.unlike", {}, "the same design");
    return h("p.unlike", {}, unlike.map((d) => h("span", {},
      `${words(outline.index.dimensions[d].name)} `, h("b", {}, d ? outline.level(nodes[side], d) : outline.label(nodes[side], d)))));
  }

  // What a reader must know before reading: that it is not complete, and what was changed by hand,
  // here or in what it was made from.
  #marks(node) {
    const { outline } = this;
    const notes = [];
    if (!outline.complete(node)) notes.push(h("p.error.reason", {}, capital(outline.reason(node))));
    for (let at = node; at; at = at.parent) {
      if (!outline.edited(at).length) continue;
      const texts = editedTexts(outline.edited(at));
      notes.push(h("p.edit", {}, at === node ? `Edited by hand: ${texts}.` : [
        "Made from a text edited by hand: ", h("a", { href: this.actions.link(at) },
          `${outline.index.stages[at.stage].name} ${outline.title(at)}`), `, ${texts}.`]));
    }
    return notes;
  }

  #tabs(tab, hits, entries, edited) {
    const changed = new Set(edited.map((phase) => PHASES[phase][1]));
    return h("div.tabs", { role: "tablist" }, TABS.map((name, number) => h("button", {
      type: "button", role: "tab", id: `tab${number}`, "aria-selected": String(number === tab), "data-tab": number,
      tabindex: number === tab ? 0 : -1, "aria-controls": number === tab ? "panel" : null,
      title: `${FILES[number]} (${number + 1})`, onclick: () => this.actions.tab(number),
    }, name,
    hits[number] ? h("span.count", {}, hits[number]) : null,
    changed.has(number) ? h("span.edited", { title: "edited by hand" }, "edited") : null,
    number === JOURNAL && entries !== null ? h("span.count.plain", {}, entries) : null)));
  }

  #content(node, texts, tab, pattern) {
    if (tab === JOURNAL) return this.#journal(texts);
    if (texts[tab] === null) return missing(tab);
    if (tab === METADATA) return metadataTable(texts[METADATA]);
    if (texts[tab] === "") return h("div.missing", {}, h("p", {}, `${FILES[tab]} is empty: it has no characters.`));
    return this.#prose(texts[tab], tab, pattern);
  }

  // A text, and if it is in Markdown, the choice between how it reads and how it is written.
  #prose(text, tab, pattern) {
    const reads = looksLikeMarkdown(text) ? renderMarkdown(text, pattern) : null;
    const written = () => textBlock(highlighted(text, pattern), tab);
    if (!reads) return written();
    const button = (name, source) => h("button", {
      type: "button", "aria-pressed": String(source === this.source), title: `${name} (m)`,
      onclick: () => { if (source !== this.source) this.actions.source(); },
    }, name);
    return [h("div.mode.segments", { role: "group", "aria-label": "Markdown" }, button("Rendered", false), button("Source", true)),
      this.source ? written() : h("div.rendered", { dir: "auto" }, reads)];
  }

  #journal(texts) {
    const current = parseJson(texts[METADATA])?.request_sha256;
    if (!texts[JOURNAL].length) {
      return h("div.missing", {}, h("p", {}, "No model was called for this generation: the journal is empty."));
    }
    return h("div.journal", {},
      texts[JOURNAL].map(([name, text]) => journalEntry(name, text, name === current)));
  }

  #aside(node) {
    const { outline } = this;
    const { index } = outline;
    const facts = [];
    index.dimensions.forEach((dimension, d) => {
      if (!node.levels.has(d)) return;
      const [level, label] = [outline.level(node, d), outline.label(node, d)];
      facts.push(h("dt", {}, words(dimension.name)),
        h("dd", {}, label, label === level ? null : h("code", {}, level)));
    });
    // A failure of its own stands above already; this one may be of what it was to be made from.
    const error = index.errors[node.row] === index.reasons[node.row] ? null : index.errors[node.row];
    return h("aside", {},
      error ? h("div.missing", {}, h("h3", {}, "No score"), h("p.error", {}, error)) : null,
      this.#children(node),
      h("h3", {}, "Design"),
      h("dl", {}, facts,
        h("dt", {}, "state"), h("dd", {}, index.states[outline.state(node)])));
  }

  #children(node) {
    if (!node.children.length) return null;
    const { outline } = this;
    const { index } = outline;
    const stages = Map.groupBy(node.children, (child) => child.stage);
    return [...stages].map(([stage, children]) => [
      h("h3", {}, capital(plural(children.length, outline.index.stages[stage].name))),
      h("ul.children", {}, children.map((child) => h("li", {},
        h("a", { href: this.actions.link(child) }, outline.title(child)),
        h("span.value", {}, outline.scoreText(child) || (outline.complete(child) ? "" : index.states[outline.state(child)]))))),
    ]);
  }
}

function editedTexts(phases) {
  return phases.map((phase) => PHASES[phase][0]).join(", ");
}

function missing(tab) {
  return h("div.missing", {}, h("p", {}, `There is no current ${FILES[tab]}.`));
}

function textBlock(parts, tab) {
  return h(tab === METADATA || tab === JOURNAL ? "pre.code.text" : "div.text", { dir: "auto" }, parts);
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// Metadata as lines, what is nested as JSON; what is not JSON, as it is.
function metadataTable(text) {
  const value = parseJson(text);
  if (value === null || typeof value !== "object") return textBlock([text], METADATA);
  return h("dl.pairs", {}, Object.entries(value).map(([name, item]) => [
    h("dt", {}, name),
    h("dd", {}, item !== null && typeof item === "object"
      ? h("pre", {}, JSON.stringify(item, null, 1)) : String(item)),
  ]));
}

function journalEntry(name, text, current) {
  const entry = parseJson(text);
  const response = entry?.response;
  const choice = response?.choices?.[0];
  const content = choice?.message?.content;
  const answer = Array.isArray(content) ? content.map((part) => part?.text ?? "").join("") : content;
  const usage = response?.usage ?? {};
  const facts = entry ? [
    entry.started_at && String(entry.started_at).replace("T", " ").slice(0, 19),
    response?.model ?? entry.request?.model,
    entry.provider,
    entry.sample ? `sample ${entry.sample}` : null,
    choice?.finish_reason && `finish: ${choice.finish_reason}`,
    usage.prompt_tokens !== undefined && `${usage.prompt_tokens} + ${usage.completion_tokens ?? "?"} tokens`,
    Number.isFinite(entry.duration_s) && `${entry.duration_s.toFixed(1)} s`,
    entry.attempts > 1 && `${entry.attempts} attempts`,
  ].filter(Boolean) : ["This entry is not JSON; here it is as it stands."];
  return h(current ? "section.entry.current" : "section.entry", {},
    h("h3", {}, current ? "The answer in use" : "Another answer", h("code.id", {}, name.slice(0, 16))),
    h("p.facts", {}, facts.join(" · ")),
    typeof answer === "string" ? h("div.text", { dir: "auto" }, answer) : null,
    h("details", { open: typeof answer !== "string" }, h("summary", {}, "The whole entry"),
      h("pre.code", {}, text)));
}

function comparable(texts, tab) {
  if (tab === JOURNAL) return null;
  const text = texts[tab];
  if (tab !== METADATA || text === null) return text;
  const value = parseJson(text);
  return value === null ? text : JSON.stringify(value, null, 1);
}

// The words that two texts do not share, marked on each side, and a sentence about them.
function compareTexts(left, right) {
  if (left === right) return { sides: [[left], [right]], summary: "The two are the same, character by character." };
  const options = { timeout: PATIENCE };
  const changes = Diff.diffWordsWithSpace(left, right, options) ?? Diff.diffLines(left, right, options);
  if (!changes) return { sides: [[left], [right]], summary: "The two are too long and too different to mark it." };
  const sides = [[], []];
  const counts = { shared: 0, left: 0, right: 0 };
  changes.forEach((change, place) => {
    const { value, added, removed } = change;
    const count = (value.match(/[\p{L}\p{N}]+/gu) ?? []).length;
    if (removed) {
      sides[0].push(["del", value]);
      counts.left += count;
    } else if (added) {
      sides[1].push(["ins", value]);
      counts.right += count;
    } else {
      // A blank between two changes belongs to them: a phrase is easier to read than its words.
      const between = !value.trim() && isChange(changes[place - 1]) && isChange(changes[place + 1]);
      sides[0].push([between ? "del" : "", value]);
      sides[1].push([between ? "ins" : "", value]);
      counts.shared += count;
    }
  });
  const whole = 2 * counts.shared + counts.left + counts.right;
  const share = whole ? Math.round((200 * counts.shared) / whole) : 100;
  const only = counts.left || counts.right
    ? `${plural(counts.left, "word")} only on the left, ${counts.right.toLocaleString("en")} only on the right; ${share} % in common.`
    : "The same words: just marks or blanks differ.";
  return { sides: sides.map(joined), summary: only };
}

function isChange(change) {
  return Boolean(change && (change.added || change.removed));
}

function joined(parts) {
  const runs = [];
  for (const [tag, value] of parts) {
    if (runs.length && runs.at(-1)[0] === tag) runs.at(-1)[1] += value;
    else runs.push([tag, value]);
  }
  return runs.map(([tag, value]) => (tag ? h(tag, {}, value) : value));
}

// A judge's answer in JSON as paths and values; null if it is none.
function structured(text) {
  const fenced = /^```\w*\n([\s\S]*)\n```$/.exec(text.trim());
  let value;
  try {
    value = JSON.parse(fenced ? fenced[1] : text);
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object") return null;
  return h("dl.said", {}, [...leaves(value, "")].map(([path, leaf]) =>
    [h("dt", { dir: "auto" }, path), h("dd", { dir: "auto" }, String(leaf))]));
}

function* leaves(value, path) {
  for (const [name, each] of Object.entries(value)) {
    const here = path ? `${path}.${name}` : name;
    if (each !== null && typeof each === "object") yield* leaves(each, here);
    else yield [here, each];
  }
}
