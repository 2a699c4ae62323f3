// The page's state, its list, and what keys and controls do.

// So many levels of a dimension are shown before one has to look for them.
const LEVELS_SHOWN = 20;

const index = await unpack($("index"));
const outline = new Outline(index);
const texts = new Texts(index.chunks);

// The state that the address keeps (state.js), and `hits` of the search, null without one.
const choice = { ...firstState(), hits: null };
// Where there is room for the list and the text side by side.
const wide = matchMedia("(min-width: 801px)");
// A tree begins with the scored leaves folded away: their scores show on their parents.
const folded = new Set(outline.nodes.filter((node) =>
  node.children.length && node.children.every((child) => outline.scored(child) && !child.children.length)));
let closed = folded;
let shown = [];
let matching = new Set();
// How many scores the choice leaves at and below each node of the tree; null where it leaves all.
let left = null;
let selected = null;
let pinned = null;
let terms = [];
let searches = 0;
const FIRST_TABS = { text: PARSED, scored: RAW };
const tabs = { ...FIRST_TABS };

const reader = new Reader($("pane"), outline, texts, {
  link: (node) => `#${address(node)}`,
  tab: chooseTab,
  source: toggleSource,
  compare: toggleCompare,
  swap: swapSides,
  back: showList,
});

// The list

const list = $("list");
const table = new Table($("table"), outline, { open: choose, sort: sortBy });
const grid = new Grid($("grid"), outline, { open: openCell, sort: sortGrid });
// Whether all rows are to be there, as on paper, and not only those in view.
let printing = false;
const sortable = tellingColumns(outline);
const rating = new Rating($("rate"), outline, texts, { leave: leaveRating });
// Whether texts are being rated; then nothing else is shown.
let rates = false;

const virtual = new VirtualCore.Virtualizer({
  count: 0,
  getScrollElement: () => (choice.view === "table" ? table.box : list),
  estimateSize: rowHeight,
  overscan: 8,
  scrollToFn: VirtualCore.elementScroll,
  observeElementRect: VirtualCore.observeElementRect,
  observeElementOffset: VirtualCore.observeElementOffset,
  onChange: renderList,
});
virtual._didMount();

function twoLines() {
  return choice.view === "list" || choice.hits !== null;
}

function rowHeight() {
  if (choice.view === "table") return TABLE_ROW;
  return twoLines() ? 50 : 31;
}

// What has the focus when no control has it.
function surface() {
  if (choice.view === "grid") return grid.box.querySelector("td button") ?? grid.box;
  return choice.view === "table" ? table.grid : list;
}

function arrange({ keep = true, found = outline.matching(choice) } = {}) {
  matching = found;
  if (choice.view === "grid") {
    shown = [];
    grid.render(choice);
    renderStatus();
    return;
  }
  shown = outline.arrange(matching, choice, (node) => closed.has(node));
  left = choice.view === "tree" && (filtered() || choice.hits) ? outline.scoresBelow(choice, matching) : null;
  const head = choice.view === "table" ? TABLE_HEAD : 0;
  if (head) table.arrange(choice, shown.length);
  virtual.setOptions({
    ...virtual.options, count: shown.length, estimateSize: rowHeight, paddingStart: head, scrollPaddingStart: head,
  });
  virtual._willUpdate();
  virtual.measure();
  if (!keep) virtual.scrollElement.scrollTop = 0;
  renderList();
  renderStatus();
}

function renderList() {
  if (choice.view === "grid") return;
  if (choice.view === "table") {
    const items = virtual.getVirtualItems();
    const [from, to] = printing ? [0, shown.length] : [items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1];
    table.render(shown, from, to, choice, selected);
    return;
  }
  const canvas = $("canvas");
  canvas.style.height = `${virtual.getTotalSize()}px`;
  canvas.replaceChildren(...virtual.getVirtualItems().map((item) => listRow(shown[item.index], item)));
  const place = shown.indexOf(selected);
  if (place >= 0) list.setAttribute("aria-activedescendant", `row${selected.number}`);
  else list.removeAttribute("aria-activedescendant");
}

function listRow(node, item) {
  const tree = choice.view === "tree";
  const branch = tree && outline.branches(node);
  const share = outline.share(node, choice.judge);
  const second = twoLines() ? secondLine(node) : null;
  const row = h("div.row", {
    id: `row${node.number}`, role: "treeitem", "data-number": node.number,
    "aria-level": tree ? node.depth + 1 : 1,
    "aria-posinset": tree ? outline.position.get(node) : item.index + 1,
    "aria-setsize": tree ? outline.siblings.get(node.parent) : shown.length,
    "aria-selected": String(node === selected),
    "aria-expanded": branch ? String(!closed.has(node)) : null,
  },
  h("span.twist", { "aria-hidden": "true" }, branch ? (closed.has(node) ? "▸" : "▾") : ""),
  node.stage < 0 ? null
    : h(`span.mark.s${node.stage % 6}`, { title: index.stages[node.stage].name },
      index.stages[node.stage].prefix.slice(0, 2).toUpperCase()),
  h("span.name", { title: outline.title(node) },
    h("span.title", { dir: "auto" }, shortened(outline.title(node))),
    second),
  outline.edited(node).length
    ? h("span.edited", { title: `edited by hand: ${editedTexts(outline.edited(node))}` }, "edited") : null,
  scoreCell(node, share));
  if (node.row >= 0 && !matching.has(node)) row.classList.add("context");
  if (node.row < 0) row.classList.add("combo");
  if (!outline.complete(node)) row.classList.add("unfinished");
  if (node === pinned) row.classList.add("pin");
  row.style.transform = `translateY(${item.start}px)`;
  row.style.height = `${item.size}px`;
  row.style.setProperty("--depth", tree ? node.depth : 0);
  return row;
}

function scoreCell(node, share) {
  const below = outline.below(node);
  if (share === null) {
    if (outline.complete(node)) {
      const unscored = outline.scored(node) && index.rows.score[node.row] === null;
      return h("span.none", { title: below ? `below: ${below}` : null }, unscored ? "no score" : below);
    }
    const state = index.states[outline.state(node)];
    return h(`span.none.is-${state}`, { title: outline.reason(node) }, state);
  }
  const title = outline.scoreTitle(node, choice.judge)
    + (unfiltered(node) ? `; the filters leave ${(left.get(node) ?? 0).toLocaleString("en")} of ${plural(outline.given(node, choice.judge), "score")}` : "");
  const cell = h(unfiltered(node) ? "span.score.unfiltered" : "span.score", {
    title: title + (below && !outline.scored(node) ? `; below: ${below}` : ""),
  }, outline.scoreText(node, choice.judge));
  cell.style.setProperty("--share", share);
  return cell;
}

// Whether the mean beside a node is also of scores that the filters leave out.
function unfiltered(node) {
  return left !== null && (left.get(node) ?? 0) < outline.given(node, choice.judge);
}

function secondLine(node) {
  if (choice.hits?.has(node.row)) {
    return h("span.second", { dir: "auto" }, highlighted(choice.hits.get(node.row), anyTerm(terms)));
  }
  if (choice.view !== "list") return null;
  // Each part is shortened for itself, as paths differ anywhere.
  const path = outline.path(node);
  return h("span.second.path", { title: path.join(" › ") },
    path.map((part) => h("span", { dir: "auto" }, shortened(part))));
}

// What is selected

function address(node) {
  return node.row < 0 ? `combo:${encodeURIComponent(outline.id(node))}` : outline.id(node);
}

function nodeAt(name) {
  if (!name.startsWith("combo:")) return outline.byId.get(name) ?? null;
  const combo = decodeURIComponent(name.slice(6));
  return outline.roots.find((node) => outline.id(node) === combo) ?? null;
}

// `step`: what this is in the history of the browser (`remember`).
function select(node, { step = "push" } = {}) {
  selected = node;
  document.body.classList.toggle("reading", node !== null && choice.view !== "grid");
  document.title = node ? `${outline.title(node)} · ${index.cohort}` : `${index.cohort} · Daydream explorer`;
  remember(pinned === node && step === "push" ? "replace" : step);
  renderList();
  return showSelected();
}

// Select by a click; with Ctrl or Shift beside what is selected.
function choose(node, event) {
  if ((event.ctrlKey || event.metaKey || event.shiftKey) && selected?.row >= 0 && !pinned) pinned = selected;
  return select(node);
}

function comparison() {
  return pinned && selected && selected !== pinned && selected.row >= 0 ? pinned : null;
}

function showSelected() {
  return reader.show(selected, {
    other: comparison(),
    pinned: pinned !== null && pinned === selected,
    tab: currentTab(),
    source: choice.source,
    pattern: anyTerm(terms),
  });
}

function kindOf(node) {
  return node && outline.scored(node) ? "scored" : "text";
}

function currentTab() {
  return tabs[kindOf(selected)];
}

async function chooseTab(tab) {
  if (!selected || selected.row < 0) return;
  const focused = document.activeElement?.matches("[role=tab]");
  tabs[kindOf(selected)] = tab;
  remember("tab");
  await showSelected();
  if (focused) $("pane").querySelector("[role=tab][aria-selected=true]")?.focus();
}

// A text in Markdown as it reads, or as it is written.
async function toggleSource() {
  if (!selected || selected.row < 0) return;
  const focused = document.activeElement?.closest(".mode");
  choice.source = !choice.source;
  remember();
  await showSelected();
  if (focused) $("pane").querySelector(".mode [aria-pressed=true]")?.focus();
}

function toggleCompare() {
  if (pinned) {
    pinned = null;
  } else {
    if (!selected || selected.row < 0) return;
    pinned = selected;
    document.body.classList.remove("reading");
  }
  renderStatus();
  const reading = !pinned;
  select(selected, { step: "replace" });
  document.body.classList.toggle("reading", reading && selected !== null);
}

function swapSides() {
  const other = comparison();
  if (!other) return;
  pinned = selected;
  reveal(other);
  select(other);
}

// Open what hides a node, and bring it into view.
function reveal(node) {
  if (!node) return;
  if (choice.view === "tree") {
    let hidden = false;
    for (let at = node.parent; at; at = at.parent) hidden = closed.delete(at) || hidden;
    if (hidden) arrange();
  }
  const place = shown.indexOf(node);
  if (place >= 0) virtual.scrollToIndex(place, { align: "auto" });
}

// The address

function state() {
  const other = comparison();
  const tab = currentTab();
  const beside = wide.matches && choice.view !== "table";
  const open = selected && (beside || document.body.classList.contains("reading"));
  return {
    ...choice,
    names: open ? [other, selected].filter(Boolean).map(address) : [],
    tab: open && selected.row >= 0 && tab !== FIRST_TABS[kindOf(selected)] ? tab : null,
  };
}

// Put the state into the address: as a step of the history ("push"), in place of the last one
// ("replace"), or not ("none"). Steps of any other name are one step as long as they follow one
// another quickly, so that Back ends where a walk by keys or a word began.
let last = { step: "", at: -Infinity };

function remember(step = "push") {
  if (step === "none") return;
  const now = performance.now();
  const onward = step === last.step && step !== "push" && now - last.at < 1000;
  last = { step, at: now };
  const hash = rates ? RATING : writeState(state(), outline);
  if ((location.hash || "#") === hash) return;
  if (step === "replace" || onward) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
}

// Show what the address says.
function followHash() {
  if (location.hash === RATING && index.criteria.length) return openRating("none");
  if (rates) hideRating();
  if (location.hash.length < 2) return openFirst();
  const wanted = readState(location.hash, outline);
  apply(wanted);
  const nodes = wanted.names.map(nodeAt);
  const lost = nodes.includes(null);
  notify(lost ? `This page has no generation ${wanted.names.join("..")}.` : "");
  pinned = !lost && nodes.length > 1 ? nodes[0] : null;
  const node = lost ? null : nodes.at(-1) ?? null;
  tabs[kindOf(node)] = wanted.tab ?? FIRST_TABS[kindOf(node)];
  reveal(node);
  return select(node, { step: "none" });
}

// What is seen before anything is chosen: on a narrow screen the list, else the first text too.
function openFirst() {
  apply(firstState());
  notify("");
  pinned = null;
  Object.assign(tabs, FIRST_TABS);
  const first = wide.matches ? outline.rows.find((node) => outline.complete(node)) : null;
  return select(first ?? null, { step: "none" });
}

// Take over how the list is shown; if that is as it was, the branches stay as they are.
function apply(wanted) {
  const shownAs = (each) => writeState({ ...each, names: [], tab: null, source: false }, outline);
  choice.source = wanted.source;
  if (shownAs(wanted) === shownAs(choice)) return;
  Object.assign(choice, wanted);
  $("search").value = choice.query;
  $("prompts").checked = choice.prompts;
  selected = null;
  renderControls();
  search("none");
}

// A link to a generation opens it and leaves everything else as it is.
function followLink(event) {
  const link = event.target.closest?.("a[href^='#']");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const node = nodeAt(link.getAttribute("href").slice(1));
  if (!node) return;
  event.preventDefault();
  notify("");
  pinned = null;
  if (choice.view === "grid") chooseView("tree");
  reveal(node);
  select(node);
}

// Rating

function openRating(step) {
  rates = true;
  $("main").hidden = true;
  $("rate").hidden = false;
  document.body.dataset.rating = "";
  document.title = `Rating · ${index.cohort}`;
  remember(step);
  return rating.open();
}

function hideRating() {
  rates = false;
  $("main").hidden = false;
  $("rate").hidden = true;
  $("rate").replaceChildren();
  delete document.body.dataset.rating;
  arrange();
}

function leaveRating() {
  hideRating();
  select(selected);
  surface().focus();
}

function notify(text) {
  $("lost")?.remove();
  if (text) $("notices").append(h("p.warning", { id: "lost" }, text));
}

// Move in the list

function move(by) {
  const place = shown.indexOf(selected);
  goTo(place < 0 && by < 0 ? shown.length - 1 : place + by);
}

function goTo(place) {
  const next = Math.min(Math.max(place, 0), shown.length - 1);
  if (next < 0 || shown[next] === selected) return;
  virtual.scrollToIndex(next, { align: "auto" });
  walk(shown[next]);
}

function walk(node) {
  select(node, { step: "walk" });
}

function fold(node, shut) {
  if (shut) closed.add(node); else closed.delete(node);
  arrange();
}

function inward() {
  if (!selected || choice.view !== "tree" || !outline.branches(selected)) return;
  if (closed.has(selected)) fold(selected, false); else move(1);
}

function outward() {
  if (!selected || choice.view !== "tree") return;
  if (outline.branches(selected) && !closed.has(selected)) fold(selected, true);
  else if (selected.parent) { reveal(selected.parent); walk(selected.parent); }
}

// Search and filter

let typing = 0;

function searchSoon() {
  clearTimeout(typing);
  typing = setTimeout(searchAsked, 180);
}

function searchAsked() {
  clearTimeout(typing);
  choice.query = $("search").value;
  choice.prompts = $("prompts").checked;
  return search("search");
}

// Search for what is asked for; without words, show all.
async function search(step) {
  searches += 1;
  const call = searches;
  terms = queryTerms(choice.query);
  remember(step);
  if (!terms.length) {
    choice.hits = null;
    delete list.dataset.searched;
    refilter("none");
    showSelected();
    return;
  }
  choice.hits = new Map();
  closed = new Set();
  let painted = performance.now();
  const complete = await searchTexts(texts, (row) => outline.names(row), terms, {
    prompts: choice.prompts,
    stale: () => call !== searches,
    found: (row, text) => choice.hits.set(row, text),
    progress: (share) => {
      if (share < 1 && performance.now() - painted < 150) return;
      arrange({ keep: false });
      if (share < 1) $("status").append(` · searching, ${Math.round(share * 100)} %`);
      painted = performance.now();
    },
  });
  if (complete) {
    list.dataset.searched = choice.query;
    if (selected && choice.hits.has(selected.row)) showSelected();
    if (step === "none") reveal(selected);
  }
}

function filtered() {
  return choice.stage >= 0 || choice.states.size || choice.kinds.size || choice.low !== null || choice.high !== null
    || [...choice.filters.values()].some((levels) => levels.size);
}

// The branches that stay shut so that each match, or a match above it, is in view.
function shutAround(found) {
  const shut = new Set(folded);
  for (const node of found) {
    if (found.has(node.parent)) continue;
    for (let at = node.parent; at; at = at.parent) shut.delete(at);
  }
  return shut;
}

// After a change of filters. A search has opened all branches already.
function refilter(step = "push") {
  const found = outline.matching(choice);
  if (!choice.hits) closed = filtered() ? shutAround(found) : folded;
  arrange({ found });
  reveal(selected);
  remember(step);
}

function clearFilters() {
  choice.stage = -1;
  choice.filters.clear();
  choice.states.clear();
  choice.kinds.clear();
  choice.low = choice.high = null;
  renderControls();
  refilter();
}

function renderStatus() {
  const whole = index.rows.id.length;
  const parts = [matching.size === whole ? plural(whole, "generation")
    : `${matching.size.toLocaleString("en")} of ${plural(whole, "generation")}`];
  if (!matching.size) parts.push("nothing matches");
  const note = shown.some((node) => outline.share(node, choice.judge) !== null && unfiltered(node))
    ? h("span", {}, " Means in italics are also of scores that the filters leave out.") : null;
  const clear = filtered() ? h("button.plain", { type: "button", onclick: clearFilters }, "Clear filters") : null;
  const hint = pinned
    ? h("strong.hint", {}, `Choose what to compare with ${outline.title(pinned)}. `) : null;
  $("status").replaceChildren(...[hint, note ? `${parts.join(": ")}.` : parts.join(": "), note].filter(Boolean), ...(clear ? [" ", clear] : []));
  list.dataset.count = matching.size;
  const active = [...choice.filters].filter(([, levels]) => levels.size)
    .map(([d]) => words(index.dimensions[d].name));
  if (choice.states.size) active.push("state");
  if (choice.kinds.size) active.push("reason");
  if (choice.low !== null || choice.high !== null) active.push("score");
  $("active").textContent = active.length ? `: ${active.join(", ")}` : "";
}

function renderControls() {
  const stages = [["All", -1], ...index.stages.map((stage, number) => [capital(plural(2, stage.name).slice(2)), number])];
  $("stages").replaceChildren(...stages.map(([name, number]) => h("button", {
    type: "button", "aria-pressed": String(choice.stage === number), "data-stage": number,
    onclick: () => { choice.stage = number; renderControls(); refilter(); },
  }, name)));
  for (const button of $("views").children) {
    button.setAttribute("aria-pressed", String(button.dataset.view === choice.view));
  }
  document.body.dataset.shown = choice.view;
  list.hidden = !["tree", "list"].includes(choice.view);
  grid.box.hidden = $("grid-tools").hidden = choice.view !== "grid";
  $("sorting").hidden = choice.view === "grid";
  table.box.hidden = $("table-tools").hidden = choice.view !== "table";
  const sorts = [[DESIGN, "order of the design"], ...sortable.map(({ key, title }) => [key, title])];
  $("sort").replaceChildren(...sorts.map(([value, name]) =>
    h("option", { value, selected: String(value) === String(choice.sort) }, name)));
  $("direction").textContent = choice.descending ? "↓" : "↑";
  renderFacets();
  renderColumns();
  renderAxes();
}

// What the grid is of.
function renderAxes() {
  $("scores").value = choice.people ? "people" : "judges";
  for (const side of ["down", "across"]) {
    $(side).replaceChildren(...axesOf(outline).map((axis) => h("option", {
      value: axis, selected: axis === choice[side],
    }, axis === RECIPE ? RECIPE : words(index.dimensions[axis].name))));
  }
}

// What the other side is of already changes places with it.
function chooseAxis(side, other, value) {
  const axis = value === RECIPE ? RECIPE : Number(value);
  if (choice[other] === axis) choice[other] = choice[side];
  choice[side] = axis;
  renderAxes();
  arrange();
  remember();
}

// The next order of the grid's rows or columns.
function sortGrid(side) {
  choice.by = { ...choice.by, [side]: { 0: -1, "-1": 1, 1: 0 }[choice.by[side]] };
  arrange();
  remember();
}

function chooseScores(people) {
  choice.people = people;
  arrange();
  remember();
}

// The texts of a cell of the grid, in the tree. What was open stays only if it is one of them; where
// there is room for it, the first of those that were scored takes its place.
function openCell(filters) {
  choice.view = "tree";
  filters.filter(([dimension]) => outline.varying[dimension])
    .forEach(([dimension, level]) => choice.filters.set(dimension, new Set([level])));
  renderControls();
  refilter("none");
  if (!matching.has(selected)) {
    const found = shown.filter((node) => matching.has(node));
    const first = found.find((node) => node.children.some((child) => outline.scored(child))) ?? found[0];
    select(wide.matches ? first : null);
    reveal(selected);
  } else {
    remember();
  }
  list.focus();
}

// Which columns the table has.
function renderColumns() {
  if (choice.view !== "table" || !$("columns").open) return;
  const chosen = new Set(choice.show ?? table.first());
  $("column-choice").replaceChildren(...[...outline.columns.values()].map(({ key, name, title }) => h("label", {},
    h("input", { type: "checkbox", value: name, checked: chosen.has(key), onchange: () => toggleColumn(chosen, key) }),
    h("span", {}, title))));
}

function toggleColumn(chosen, key) {
  if (!chosen.delete(key)) chosen.add(key);
  if (!chosen.size) chosen.add("id");
  const show = [...outline.columns.keys()].filter((each) => chosen.has(each));
  choice.show = show.join() === table.first().join() ? null : show;
  table.arrange(choice, shown.length);
  renderList();
  remember();
}

// Only when they are looked at: a large design has thousands of levels.
function renderFacets() {
  if ($("filters").open) $("facets").replaceChildren(...scoreFacet(), ...facets());
}

function scoreFacet() {
  if (!outline.judges.length) return [];
  const bound = (name, label) => h("input", {
    type: "number", step: "any", "aria-label": `${label} score`, placeholder: label, "data-bound": name,
    value: choice[name] ?? "",
    oninput: (event) => {
      choice[name] = event.target.value === "" ? null : Number(event.target.value);
      refilter("bound");
    },
  });
  const judges = h("select", {
    "aria-label": "Judge", id: "judge",
    onchange: (event) => { choice.judge = event.target.value; refilter(); },
  }, h("option", { value: ALL }, `${index.panel === "median" ? "median" : "mean"} of all judges`),
  outline.judges.map((judge) => h("option", { value: judge, selected: judge === choice.judge }, judge)));
  return [h("fieldset.facet.scores", {},
    h("legend", {}, "score"), judges, h("span", {},
      "from ", bound("low", String(outline.scale[0])), " to ", bound("high", String(outline.scale[1])), outline.unit))];
}

function facets() {
  const found = index.dimensions.flatMap((dimension, d) => {
    if (!outline.varying[d]) return [];
    const counts = new Map();
    outline.rows.forEach((node) => {
      if (node.stage !== Math.max(dimension.stage, 0)) return;
      const level = node.levels.get(d);
      counts.set(level, (counts.get(level) ?? 0) + 1);
    });
    if (!choice.filters.has(d)) choice.filters.set(d, new Set());
    const options = dimension.levels.map((level, number) =>
      [number, dimension.stage < 0 ? dimension.labels[number] : level, counts.get(number) ?? 0, level]);
    return [facet(words(dimension.name), dimension.name, options, choice.filters.get(d))];
  });
  const states = Map.groupBy(outline.rows, (node) => outline.state(node));
  if (states.size > 1) {
    const options = [...states].sort(([a], [b]) => a - b)
      .map(([state, nodes]) => [state, index.states[state], nodes.length, index.states[state]]);
    found.push(facet("state", "state", options, choice.states));
  }
  if (index.kinds.length) {
    const kinds = Map.groupBy(outline.rows, (node) => outline.kind(node));
    const options = index.kinds.map((name, kind) => [kind, name, kinds.get(kind).length, name]);
    found.push(facet("reason of failure", "reason", options, choice.kinds));
  }
  return found;
}

// The levels of a dimension to choose from; of many, the first and what is looked for.
function facet(name, key, options, chosen) {
  const many = options.length > LEVELS_SHOWN;
  const levels = h("div.levels");
  const draw = (wanted) => {
    const alike = options.filter(([, label, , level]) => `${label} ${level}`.toLowerCase().includes(wanted));
    const drawn = alike.filter(([value], place) => place < LEVELS_SHOWN || chosen.has(value));
    levels.replaceChildren(...drawn.map(([value, label, count, level]) => h("label", { title: level },
      h("input", {
        type: "checkbox", value: level, checked: chosen.has(value),
        onchange: (event) => {
          if (event.target.checked) chosen.add(value); else chosen.delete(value);
          refilter();
        },
      }),
      h("span", {}, shortened(label)), h("small", {}, count))),
    ...(drawn.length < alike.length ? [h("small", {}, `and ${(alike.length - drawn.length).toLocaleString("en")} more`)] : []));
  };
  draw("");
  return h("fieldset.facet", { "data-facet": key }, h("legend", {}, name),
    many ? h("input", {
      type: "search", placeholder: `find one of ${options.length.toLocaleString("en")}`,
      "aria-label": `Find a level of ${name}`, oninput: (event) => draw(event.target.value.trim().toLowerCase()),
    }) : null,
    levels);
}

// What the page says on its face

function renderNotices() {
  const stages = index.stages.map((stage, number) => [stage, outline.rows.filter((node) => node.stage === number)]);
  $("counts").textContent = stages.filter(([, nodes]) => nodes.length)
    .map(([stage, nodes]) => plural(nodes.length, stage.name)).join(" · ");
  const notices = [];
  if (index.slice) {
    const conditions = Object.entries(index.slice).flatMap(([kind, named]) =>
      Object.entries(named).map(([name, levels]) =>
        `${kind === "exclude" ? "without " : ""}${name} = ${[levels].flat().join(", ")}`));
    notices.push(h("p.warning.slice", {},
      `Slice: ${conditions.join("; ")}. Shows ${outline.rows.length.toLocaleString("en")} of ${plural(index.total, "generation")}.`));
  }
  const lacking = outline.rows.filter((node) => !outline.complete(node));
  const unscored = outline.rows.filter((node) => outline.scored(node) && index.rows.score[node.row] === null);
  if (lacking.length || unscored.length) {
    const parts = [];
    if (lacking.length) {
      const states = index.states.map((name, state) => [name, lacking.filter((node) => outline.state(node) === state).length]);
      const found = states.filter(([, count]) => count).map(([name, count]) => `${count.toLocaleString("en")} ${name}`);
      parts.push(`${lacking.length.toLocaleString("en")} of ${plural(outline.rows.length, "generation")} not complete (${found.join(", ")})`);
    }
    if (unscored.length) parts.push(`${plural(unscored.length, "score")} missing`);
    notices.push(h("details.warning.partial", { id: "partial" }, h("summary", {}, `Partial: ${parts.join(", ")}`),
      stateTable(stages), reasons([...new Set([...lacking, ...unscored])])));
  }
  $("notices").replaceChildren(...notices);
}

function stateTable(stages) {
  const found = index.states.map((name, state) => [name, state])
    .filter(([, state]) => state === 0 || outline.rows.some((node) => outline.state(node) === state));
  return h("table", {},
    h("thead", {}, h("tr", {}, ["stage", ...found.map(([name]) => name)].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, stages.filter(([, nodes]) => nodes.length).map(([stage, nodes]) => h("tr", {},
      h("th", { scope: "row" }, stage.name),
      found.map(([, state]) => h("td", {}, nodes.filter((node) => outline.state(node) === state).length))))));
}

// Why generations are not complete or have no score: alike reasons together, those first that others
// wait for, then the most frequent, each with an example.
function reasons(nodes) {
  const alike = Map.groupBy(nodes, (node) => {
    const ids = [node, node.parent].map((each) => outline.id(each)).filter(Boolean);
    const reason = outline.reason(node) || index.errors[node.row] || "the table of scores does not tell";
    return ids.reduce((text, id) => text.replaceAll(id, "…"), reason);
  });
  const rank = (found) => outline.state(found[0]) || index.states.length;
  const sorted = [...alike].sort(([, a], [, b]) => rank(a) - rank(b) || b.length - a.length);
  return [h("ul", {}, sorted.slice(0, 8).map(([reason, found]) => h("li", {},
    `${found.length.toLocaleString("en")} × `, h("a", { href: `#${address(found[0])}` }, outline.id(found[0])), ` ${reason}`))),
  sorted.length > 8 ? h("p", {}, `and ${plural(sorted.length - 8, "other reason")}`) : null].filter(Boolean);
}

// Light and dark: what the system says, until the reader chooses.

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  $("theme").textContent = isDark() ? "Light" : "Dark";
}

function toggleTheme() {
  setTheme(isDark() ? "light" : "dark");
  try {
    localStorage.setItem("daydream-theme", document.documentElement.dataset.theme);
  } catch { /* A page from a file may have no storage; the choice then lasts as long as the page. */ }
}

function storedTheme() {
  try {
    return localStorage.getItem("daydream-theme");
  } catch {
    return null;
  }
}

// By a column: what is a number begins with the highest. Once more turns the order round.
function sortBy(key, { turn = true } = {}) {
  const again = turn && choice.sort === key;
  const falling = ["score", "spread", "judges", "people", "ratings", "characters"].includes(key);
  choice.descending = again ? !choice.descending : falling;
  choice.sort = key;
  resort();
}

function resort() {
  renderControls();
  arrange({ keep: false });
  remember();
}

function chooseView(view) {
  choice.view = view;
  document.body.classList.remove("reading");
  renderControls();
  arrange();
  reveal(selected);
  remember();
}

// A run that the page follows

// What a page that loaded itself again would lose.
function busy() {
  return rates || $("help").open || (pinned && !comparison()) || getSelection().type === "Range"
    || document.activeElement?.matches("input, select, textarea");
}

function place() {
  const scrolled = [virtual.scrollElement, $("pane"), grid.box].map((box) => box.scrollTop);
  return {
    scrolled, closed: [...closed].map((node) => node.number), focus: document.activeElement?.id,
    open: [...document.querySelectorAll("details[open][id]")].map(({ id }) => id),
  };
}

// The nodes of a page are those of the one before: all generations of the design, made or not.
function takePlace(kept) {
  if (!kept) return;
  for (const id of kept.open) $(id).open = true;
  if (!choice.hits) {
    closed = new Set(kept.closed.map((number) => outline.nodes[number]));
    arrange();
  }
  [virtual.scrollElement, $("pane"), grid.box].forEach((box, number) => { box.scrollTop = kept.scrolled[number]; });
  if (kept.focus) $(kept.focus)?.focus({ preventScroll: true });
}

// Events

// Where there is room for one of the two alone: from the text to the list.
function showList() {
  document.body.classList.remove("reading");
  remember();
  surface().focus();
}

async function copyTable() {
  const copied = await copyText(tsvText(table.cells(shown, choice)));
  tell(copied ? `${plural(shown.length, "row")} copied.` : "The browser did not let the page copy.");
}

function saveTable() {
  saveText(csvText(table.cells(shown, choice)), `${index.cohort}.csv`, "text/csv");
  tell(`${plural(shown.length, "row")} saved.`);
}

function tell(text) {
  $("told").textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { $("told").textContent = ""; }, 4000);
}

// On paper a table has all its rows, and columns of its own.
function allRows(wanted) {
  if (choice.view !== "table") return;
  printing = wanted;
  table.printed = wanted ? shown : null;
  table.arrange(choice, shown.length);
  renderList();
}

function back() {
  if ($("search").value) {
    $("search").value = "";
    searchAsked();
    surface().focus();
  } else if (pinned) {
    toggleCompare();
  } else if (document.body.classList.contains("reading")) {
    showList();
  }
}

const KEYS = {
  ArrowDown: () => move(1), ArrowUp: () => move(-1), ArrowRight: inward, ArrowLeft: outward,
  j: () => move(1), k: () => move(-1),
  Home: () => goTo(0), End: () => goTo(shown.length - 1),
  "/": () => { document.body.classList.remove("reading"); $("search").focus(); $("search").select(); },
  Escape: back,
  c: toggleCompare, x: swapSides, m: toggleSource, d: toggleTheme,
  t: () => chooseView(VIEWS[(VIEWS.indexOf(choice.view) + 1) % VIEWS.length]),
  f: () => { $("filters").open = !$("filters").open; },
  n: () => reader.step(1), N: () => reader.step(-1),
  "?": () => $("help").showModal(),
  " ": (event) => $("pane").scrollBy({ top: (event.shiftKey ? -0.85 : 0.85) * $("pane").clientHeight }),
  PageDown: () => $("pane").scrollBy({ top: 0.85 * $("pane").clientHeight }),
  PageUp: () => $("pane").scrollBy({ top: -0.85 * $("pane").clientHeight }),
  ...Object.fromEntries(TABS.map((_, tab) => [String(tab + 1), () => chooseTab(tab)])),
};

function keyDown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (rates) {
    if (rating.key(event)) event.preventDefault();
    return;
  }
  const field = event.target.closest?.("input, select, textarea");
  if (field) {
    if (event.key === "Escape") {
      if (field.id === "search") back();
      field.blur();
    } else if (field.id === "search" && ["ArrowDown", "Enter"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Enter") searchAsked();
      surface().focus();
      if (event.key === "ArrowDown") move(1);
    }
    return;
  }
  if (event.target.closest?.("[role=tab]") && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    event.preventDefault();
    chooseTab((currentTab() + (event.key === "ArrowRight" ? 1 : TABS.length - 1)) % TABS.length);
    return;
  }
  // A table wider than its column is moved sideways by the browser itself.
  if (choice.view === "table" && ["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  // The grid shows no text for keys to act on.
  if (choice.view === "grid" && !["/", "Escape", "d", "t", "f", "?"].includes(event.key)) return;
  const widget = event.target.closest?.("button, a, summary");
  if (widget && [" ", "Enter"].includes(event.key)) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action(event);
}

list.addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  if (!row) return;
  const node = outline.nodes[row.dataset.number];
  if (event.target.closest(".twist") && outline.branches(node)) {
    fold(node, !closed.has(node));
  } else {
    choose(node, event);
  }
});
addEventListener("keydown", keyDown);
addEventListener("hashchange", followHash);
addEventListener("click", followLink);
$("search").addEventListener("input", searchSoon);
$("prompts").addEventListener("change", searchAsked);
$("views").addEventListener("click", (event) => {
  if (event.target.dataset.view) chooseView(event.target.dataset.view);
});
$("sort").addEventListener("change", (event) => {
  const { value } = event.target;
  sortBy(/^\d+$/.test(value) ? Number(value) : value, { turn: false });
});
$("direction").addEventListener("click", () => {
  choice.descending = !choice.descending;
  resort();
});
$("filters").addEventListener("toggle", renderFacets);
$("columns").addEventListener("toggle", renderColumns);
$("down").addEventListener("change", (event) => chooseAxis("down", "across", event.target.value));
$("across").addEventListener("change", (event) => chooseAxis("across", "down", event.target.value));
$("scores").closest("label").hidden = !outline.rated;
$("scores").addEventListener("change", (event) => chooseScores(event.target.value === "people"));
$("copy").addEventListener("click", copyTable);
$("save").addEventListener("click", saveTable);
$("print").addEventListener("click", () => print());
addEventListener("beforeprint", () => allRows(true));
addEventListener("afterprint", () => allRows(false));
$("theme").addEventListener("click", toggleTheme);
$("rate-button").hidden = !index.criteria.length;
$("rate-button").addEventListener("click", () => { if (!rates) openRating("push"); });
$("help-button").addEventListener("click", () => $("help").showModal());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme());

setTheme(storedTheme());
renderNotices();
renderControls();
arrange();
await followHash();
if (index.follows) {
  document.querySelector(".bar").after(new Follower(index.follows, outline, { busy, place }).bar);
  takePlace(keptPlace());
}
document.documentElement.dataset.ready = "";
