// The grid: the scores that the filters leave, by judges or by people, by two dimensions, with mean and
// spread in each cell.
//
// An axis is the number of a dimension, or RECIPE: template, model and further dimensions of each
// stage before the scored one, without combo and replicate; of a stage that copies, the template alone.

const RECIPE = "recipe";
// A larger grid is neither read nor quickly drawn.
const MOST_ROWS = 300, MOST_COLUMNS = 60;

function axisName(axis, index) {
  return axis === RECIPE ? RECIPE : index.dimensions[axis].name;
}

function axesOf(outline) {
  return [RECIPE, ...outline.varying.keys()].filter((axis) => axis === RECIPE || axis === 0 || outline.varying[axis]);
}

class Grid {
  constructor(box, outline, actions) {
    Object.assign(this, { box, outline, actions });
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  render(choice) {
    const focused = this.box.contains(document.activeElement) ? document.activeElement.dataset.side : null;
    const scores = this.#scores(choice);
    if (!scores.length) {
      this.box.replaceChildren(h("p.empty", {}, `None of the filtered generations has a score${choice.people ? " by people" : ""}.`));
      return;
    }
    const rows = new Map(), columns = new Map(), cells = new Map();
    const all = new Tally();
    for (const [node, share] of scores) {
      const row = this.#place(rows, node, choice.down);
      const column = this.#place(columns, node, choice.across);
      const key = `${row.key}|${column.key}`;
      if (!cells.has(key)) cells.set(key, new Tally());
      for (const tally of [cells.get(key), row.tally, column.tally, all]) tally.add(share);
    }
    const [shownRows, shownColumns] = [
      inOrder(rows, choice.by.rows).slice(0, MOST_ROWS), inOrder(columns, choice.by.columns).slice(0, MOST_COLUMNS)];
    const table = h("table", { role: "grid", "aria-label": `Mean scores by ${this.#title(choice.down)} and ${this.#title(choice.across)}` },
      this.#head(shownColumns, choice),
      h("tbody", {},
        shownRows.map((row) => h("tr", {}, h("th", { scope: "row", dir: "auto", title: row.label }, h("span", {}, row.label)),
          shownColumns.map((column) => this.#cell(cells.get(`${row.key}|${column.key}`), [row, column])),
          this.#cell(row.tally, [row]))),
        h("tr.all", {}, this.#all("columns", choice),
          shownColumns.map((column) => this.#cell(column.tally, [column])), this.#cell(all, []))));
    this.box.replaceChildren(this.#legend(all.count, choice), this.#leftOut(rows, columns), table);
    table.querySelector("td button").tabIndex = 0;
    if (focused) table.querySelector(`[data-side=${focused}]`).focus();
  }

  // The scores as shares, each with the generation whose it is: by judges, or of a text by people.
  #scores(choice) {
    const { outline } = this;
    if (!choice.people) return outline.scoresLeft(choice).map((node) => [node, outline.share(node)]);
    return outline.ratedLeft(choice).flatMap((node) => outline.people(node).map(({ share }) => [node, share]));
  }

  // The head of the means of all, which orders the other side's places by them: the highest first, the
  // lowest, and as the design has them.
  #all(side, { by }) {
    const order = ["descending", "none", "ascending"][by[side] + 1];
    return h("th", { scope: side === "rows" ? "col" : "row", "aria-sort": order },
      h("button", { type: "button", "data-side": side, title: `Sort ${side} by mean`, onclick: () => this.actions.sort(side) },
        "all", h("span.arrow", { "aria-hidden": "true" }, { descending: side === "rows" ? " ↓" : " →", none: "", ascending: side === "rows" ? " ↑" : " ←" }[order])));
  }

  // Where a generation stands on an axis; a place that is new is added.
  #place(places, node, axis) {
    const { key, order } = axis === RECIPE ? this.#recipe(node) : levelOf(node, axis);
    if (!places.has(key)) places.set(key, { key, order: order ?? places.size, tally: new Tally(), ...this.#describe(node, axis) });
    return places.get(key);
  }

  // What a place is called, and the filters that keep what stands there.
  #describe(node, axis) {
    const { outline } = this;
    if (axis !== RECIPE) {
      if (!node.levels.has(axis)) return { label: "none", filters: [] };
      return { label: axis ? outline.level(node, axis) : outline.label(node, axis), filters: [[axis, node.levels.get(axis)]] };
    }
    const { stages } = this.#recipe(node);
    const label = stages.map((own) => own.filter((d, place) => !place || outline.varying[d]).map((d) => outline.level(node, d)).join(" · "));
    return { label: label.join(" → ") || "all", filters: stages.flat().filter((d) => outline.varying[d]).map((d) => [d, node.levels.get(d)]) };
  }

  // The dimensions of a recipe by stage, and the levels that a generation has of them.
  #recipe(node) {
    const { outline } = this;
    const stages = [];
    for (let at = outline.scored(node) ? node.parent : node; at.row >= 0; at = at.parent) {
      const [template, ...others] = outline.ownDimensions[at.stage];
      stages.unshift(outline.copied(at) ? [template] : [template, ...others.filter((_, place) => place !== 1)]);
    }
    return { stages, key: stages.map((own) => own.map((d) => node.levels.get(d)).join()).join(";") };
  }

  #title(axis) {
    return axis === RECIPE ? RECIPE : words(this.outline.index.dimensions[axis].name);
  }

  #head(columns, choice) {
    const { down, across } = choice;
    return h("thead", {}, h("tr", {},
      h("th.corner", { scope: "col" }, `${this.#title(down)} × ${this.#title(across)}`),
      columns.map(({ label }) => h("th", { scope: "col", dir: "auto", title: label }, h("span", {}, label))),
      this.#all("rows", choice)));
  }

  #cell(tally, places) {
    if (!tally) return h("td.none", {}, "–");
    const { outline } = this;
    const [mean, spread] = [tally.mean, tally.spread];
    const name = places.map(({ label }) => label).join(", ") || "all";
    const text = outline.onScale(mean).toFixed(1) + outline.unit;
    const deviation = spread === null ? "" : (spread * (outline.scale[1] - outline.scale[0])).toFixed(1);
    const button = h("button", {
      type: "button", tabindex: -1, title: "Open these texts",
      "aria-label": `${name}: mean ${text}, ${deviation ? `standard deviation ${deviation}, ` : ""}${plural(tally.count, "score")}`,
      onclick: () => this.actions.open(places.flatMap(({ filters }) => filters)),
    }, h("b", {}, text), h("small", {}, `${deviation ? `± ${deviation} · ` : ""}${tally.count.toLocaleString("en")}`));
    button.style.setProperty("--share", mean);
    return h("td", {}, button);
  }

  #legend(count, { people }) {
    const { scale, unit } = this.outline;
    return h("p.legend", {}, h("span", {}, scale[0] + unit), h("span.ramp", { "aria-hidden": "true" }), h("span", {}, scale[1] + unit),
      h("span", {}, `Means of ${plural(count, "score")}${people ? " by people" : ""}; ± their standard deviation, and their number. A cell opens its texts; “all” sorts by its means.`));
  }

  #leftOut(rows, columns) {
    const parts = [[rows, MOST_ROWS, "row"], [columns, MOST_COLUMNS, "column"]].filter(([found, most]) => found.size > most)
      .map(([found, most, noun]) => `${most} of ${plural(found.size, noun)}`);
    return parts.length ? h("p.warning", {}, `Shows ${parts.join(" and ")}. Filter to see others.`) : "";
  }

  // Arrows go from cell to cell; of all cells, one is in the order of the tab key.
  #key(event) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const from = event.target.closest("td");
    if (!from || !steps[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    const [down, across] = steps[event.key];
    const lines = [...from.closest("tbody").rows];
    let [row, column] = [lines.indexOf(from.parentElement) + down, from.cellIndex + across];
    for (; lines[row]?.cells[column]?.matches("td"); row += down, column += across) {
      const next = lines[row].cells[column].querySelector("button");
      if (!next) continue;
      from.querySelector("button").tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      return;
    }
  }
}

function levelOf(node, dimension) {
  const level = node.levels.get(dimension) ?? null;
  return { key: level, order: level ?? Infinity };
}

// In the order of the design, or by mean: -1 with the highest first, 1 with the lowest.
function inOrder(places, byMean) {
  return [...places.values()].sort((a, b) => byMean * (a.tally.mean - b.tally.mean) || a.order - b.order);
}

// Mean and standard deviation of shares, without keeping them (Welford).
class Tally {
  count = 0;
  mean = 0;
  squares = 0;

  add(share) {
    this.count += 1;
    const off = share - this.mean;
    this.mean += off / this.count;
    this.squares += off * (share - this.mean);
  }

  get spread() {
    return this.count > 1 ? Math.sqrt(this.squares / (this.count - 1)) : null;
  }
}
