// The page's state as the part of its address after "#", and back. No DOM in here.
//
//   #<what is open>?<how it is shown>
//
// What is open: <gen_id>, <gen_id>..<gen_id> (side by side), combo:<id>, or nothing. How it is shown:
// parameters, of which those are left out that are as they are at first. A filter has the name of
// its dimension, which always has an underscore; no other parameter has one. What a link names and
// this page does not have is left out.

const TAB_NAMES = ["parsed", "raw", "prompt", "metadata", "journal"];
const VIEWS = ["tree", "list", "table", "grid"];
const DESIGN = "design";
// Rating: its address says nothing of what is rated, nor of what was looked at before.
const RATING = "#?view=rate";

// The state at first. `tab` is null for the tab that suits the generation, `show` for the columns that
// a table has at first.
function firstState() {
  return {
    names: [], view: VIEWS[0], stage: -1, sort: DESIGN, descending: false,
    judge: ALL, low: null, high: null, filters: new Map(), states: new Set(), kinds: new Set(),
    query: "", prompts: false, tab: null, source: false, show: null,
    down: RECIPE, across: 0, by: { rows: 0, columns: 0 }, people: false,
  };
}

function writeState(state, { index, columns }) {
  const found = new URLSearchParams();
  const put = (name, value, first = "") => { if (value !== first) found.append(name, value); };
  put("view", state.view, VIEWS[0]);
  put("stage", index.stages[state.stage]?.name ?? "");
  const sort = columns.get(state.sort)?.name ?? DESIGN;
  put("sort", (state.descending ? "-" : "") + sort, DESIGN);
  put("judge", state.judge, ALL);
  put("low", state.low, null);
  put("high", state.high, null);
  index.dimensions.forEach(({ name, levels }, dimension) =>
    putNumbers(found, name, state.filters.get(dimension), levels));
  putNumbers(found, "state", state.states, index.states);
  putNumbers(found, "reason", state.kinds, index.kinds);
  put("show", state.show?.map((key) => columns.get(key).name).join(",") ?? "");
  put("down", axisName(state.down, index), RECIPE);
  put("across", axisName(state.across, index), axisName(0, index));
  for (const side of ["rows", "columns"]) put(side, ["-mean", "", "mean"][state.by[side] + 1]);
  put("scores", state.people ? "people" : "");
  put("q", state.query);
  put("prompts", state.prompts ? "1" : "");
  put("tab", state.tab === null ? "" : TAB_NAMES[state.tab]);
  put("source", state.source ? "1" : "");
  const shown = found.toString();
  return `#${state.names.join("..")}${shown ? `?${shown}` : ""}`;
}

// The names of what is chosen, always in the same order: the same state has the same address.
function putNumbers(found, name, numbers, known) {
  for (const number of [...(numbers ?? [])].sort((a, b) => a - b)) found.append(name, known[number]);
}

function readState(hash, { index, judges, columns }) {
  const [open, ...rest] = hash.replace(/^#/, "").split("?");
  const given = new URLSearchParams(rest.join("?"));
  const state = firstState();
  const one = (name, known, otherwise) => (known.includes(given.get(name)) ? given.get(name) : otherwise);
  state.names = open ? open.split("..") : [];
  state.view = one("view", VIEWS, state.view);
  state.stage = index.stages.findIndex((stage) => stage.name === given.get("stage"));
  [state.sort, state.descending] = readSort(given.get("sort") ?? "", columns);
  state.judge = one("judge", judges, ALL);
  state.low = readNumber(given.get("low"));
  state.high = readNumber(given.get("high"));
  index.dimensions.forEach(({ name, levels }, dimension) => {
    const chosen = numbersOf(given.getAll(name), levels);
    if (chosen.size) state.filters.set(dimension, chosen);
  });
  state.states = numbersOf(given.getAll("state"), index.states);
  state.kinds = numbersOf(given.getAll("reason"), index.kinds);
  const named = new Map([...columns.values()].map(({ key, name }) => [name, key]));
  const show = (given.get("show") ?? "").split(",").filter((name) => named.has(name));
  state.show = show.length ? show.map((name) => named.get(name)) : null;
  state.down = readAxis(given.get("down"), index, state.down);
  state.across = readAxis(given.get("across"), index, state.across);
  for (const side of ["rows", "columns"]) state.by[side] = { "-mean": -1, mean: 1 }[given.get(side)] ?? 0;
  state.people = given.get("scores") === "people";
  state.query = given.get("q") ?? "";
  state.prompts = given.get("prompts") === "1";
  const tab = TAB_NAMES.indexOf(given.get("tab"));
  state.tab = tab < 0 ? null : tab;
  state.source = given.get("source") === "1";
  return state;
}

function readSort(text, columns) {
  const descending = text.startsWith("-");
  const name = descending ? text.slice(1) : text;
  const column = [...columns.values()].find((each) => each.name === name);
  if (column) return [column.key, descending];
  return [DESIGN, descending && name === DESIGN];
}

function readAxis(name, index, otherwise) {
  if (name === RECIPE) return RECIPE;
  const dimension = index.dimensions.findIndex((each) => each.name === name);
  return dimension < 0 ? otherwise : dimension;
}

function readNumber(text) {
  const number = Number.parseFloat(text);
  return Number.isFinite(number) ? number : null;
}

function numbersOf(names, known) {
  const numbers = new Map(known.map((name, number) => [name, number]));
  return new Set(names.filter((name) => numbers.has(name)).map((name) => numbers.get(name)));
}
