// The table of the filtered generations, and what it leaves the page as: copied, a file, on paper.

// As style.css has them.
const TABLE_ROW = 31, TABLE_HEAD = 34;
// On paper: a page of A4 or Letter between usual margins, a cell's padding, and its font, in pixels.
const PAPER = 690, PADDING = 9, PRINTED = 9.5;
// What spreadsheet programs take for a formula, as `daydream.tables` has it.
const FORMULA = /^'*[=+\-@\t\r\n＝＋－＠]/;
const A_NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf)$/;

class Table {
  constructor(box, outline, actions) {
    // While it is printed, `printed` has its nodes.
    Object.assign(this, { box, outline, actions, printed: null });
    this.head = h("thead");
    this.body = h("tbody");
    this.before = h("td");
    this.after = h("td");
    this.widths = h("colgroup");
    const gap = (cell) => h("tbody.gap", { "aria-hidden": "true" }, h("tr", {}, cell));
    this.grid = h("table", { role: "grid", tabindex: 0, "aria-label": "Table of generations" },
      this.widths, this.head, gap(this.before), this.body, gap(this.after));
    box.replaceChildren(this.grid);
    box.addEventListener("click", (event) => this.#click(event));
  }

  // The columns of a table whose columns nobody has chosen.
  first() {
    this.known ??= firstColumns(this.outline);
    return this.known;
  }

  // On paper those are left out that are empty.
  columns({ show, judge }) {
    const columns = (show ?? this.first()).map((key) => this.outline.columns.get(key));
    return this.printed ? columns.filter(({ text }) => this.printed.some((node) => text(node, judge) !== "")) : columns;
  }

  // Columns and their heads, after a change of columns or order.
  arrange(choice, count) {
    const columns = this.columns(choice);
    const focused = this.head.contains(document.activeElement) ? document.activeElement.dataset.sort : null;
    this.widths.replaceChildren(...columns.map(({ width }) => {
      const column = h("col");
      column.style.width = `${width}px`;
      return column;
    }));
    this.grid.style.minWidth = `${columns.reduce((sum, { width }) => sum + width, 0)}px`;
    this.grid.setAttribute("aria-rowcount", count + 1);
    this.grid.setAttribute("aria-colcount", columns.length);
    for (const gap of [this.before, this.after]) gap.colSpan = columns.length;
    const heads = columns.map((column) => this.#head(column, choice));
    if (this.printed) this.#keepWords(heads, columns, choice);
    this.head.replaceChildren(h("tr", { "aria-rowindex": 1 }, heads));
    if (focused !== null) this.head.querySelector(`[data-sort="${focused}"]`)?.focus();
  }

  #head({ key, title, kind }, { sort, descending }) {
    const sorted = sort === key ? (descending ? "descending" : "ascending") : "none";
    return h(kind === "number" ? "th.number" : "th", { scope: "col", "aria-sort": sorted },
      h("button", { type: "button", "data-sort": key, title: `Sort by ${title}`, onclick: () => this.actions.sort(key) },
        h("span", {}, title),
        h("span.arrow", { "aria-hidden": "true" }, sort === key ? (descending ? "↓" : "↑") : "")));
  }

  // Give each column room for its longest word; where a page has less, the longest have to break.
  #keepWords(heads, columns, { judge, sort }) {
    const width = wordWidth(`${PRINTED}px ${getComputedStyle(this.box).fontFamily}`);
    const longest = columns.map(({ key, title, text }) => {
      const widest = (cell) => cell.split(/[\s-]+/).reduce((most, word) => Math.max(most, width(word)), 0);
      const inHead = widest(title) + (key === sort ? 1.5 * PRINTED : 0);
      return this.printed.reduce((most, node) => Math.max(most, widest(text(node, judge))), inHead);
    });
    const most = evenLimit(longest, PAPER - PADDING * columns.length);
    heads.forEach((head, place) => {
      head.style.minWidth = `${Math.min(longest[place], most) + PADDING}px`;
    });
  }

  // The rows `from` ... `to` of `nodes`; the gaps before and after are as high as what is left out.
  render(nodes, from, to, choice, selected) {
    const columns = this.columns(choice);
    this.before.style.height = `${from * TABLE_ROW}px`;
    this.after.style.height = `${(nodes.length - to) * TABLE_ROW}px`;
    this.body.replaceChildren(...nodes.slice(from, to).map((node, place) =>
      this.#row(node, from + place, columns, choice.judge, node === selected)));
    const seen = this.body.querySelector("[aria-selected=true]");
    if (seen) this.grid.setAttribute("aria-activedescendant", seen.id);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  #row(node, place, columns, judge, selected) {
    const cells = columns.map(({ kind, text }, column) => {
      const shown = text(node, judge);
      return h((column ? "td" : "th") + (kind === "number" ? ".number" : ""), { scope: column ? null : "row", title: shown || null, dir: "auto" }, shown);
    });
    const row = h("tr", {
      id: `cells${node.number}`, "data-number": node.number, "aria-rowindex": place + 2, "aria-selected": String(selected),
    }, cells);
    if (!this.outline.complete(node)) row.classList.add("unfinished");
    return row;
  }

  #click(event) {
    const row = event.target.closest("tr[data-number]");
    if (row) this.actions.open(this.outline.nodes[row.dataset.number], event);
  }

  // A header and a row for each node, of the columns that are shown; the id always comes first.
  cells(nodes, choice) {
    const shown = this.columns(choice).filter(({ key }) => key !== "id");
    const columns = [this.outline.columns.get("id"), ...shown];
    return [columns.map(({ name }) => name),
      ...nodes.map((node) => columns.map(({ plain }) => String(plain(node, choice.judge))))];
  }
}

// How wide a word is in a font; each is measured once.
function wordWidth(font) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  const known = new Map();
  return (word) => {
    if (!known.has(word)) known.set(word, pen.measureText(word).width);
    return known.get(word);
  };
}

// The limit to which sizes are cut so that their sum is no more than the room there is.
function evenLimit(sizes, room) {
  let left = room;
  const rising = [...sizes].sort((a, b) => a - b);
  for (const [place, size] of rising.entries()) {
    const share = left / (rising.length - place);
    if (size > share) return share;
    left -= size;
  }
  return Infinity;
}

// A cell that no spreadsheet program runs; a number stays as it is.
function guarded(cell) {
  return FORMULA.test(cell) && !A_NUMBER.test(cell) ? `'${cell}` : cell;
}

function csvText(rows) {
  const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map((cell) => quoted(guarded(cell))).join(",")}\n`).join("");
}

// To paste: a tab or a line break in a cell would begin another one.
function tsvText(rows) {
  return rows.map((row) => `${row.map((cell) => guarded(cell).replace(/[\t\r\n]+/g, " ")).join("\t")}\n`).join("");
}

// A page from a file may have no clipboard of its own: then a field that is copied from.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}

function saveText(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
