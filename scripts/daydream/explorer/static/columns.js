// What a generation has of its own to sort and to tabulate by. No DOM in here.
//
// A column is {key, name, title, kind, width, value, text, plain}. `key` is the number of a dimension
// or a word; `title` is what a reader sees, `name` what a file and the address call it. `value` is
// what is sorted by (null stands last), `text` what is shown, `plain` what a file holds. Each takes a
// node and the judge whose scores count.

function columnsOf(outline) {
  const { index } = outline;
  const own = (node, place) => (node.row < 0 ? null : outline.level(node, outline.ownDimensions[node.stage][place]));
  const words_ = (key, title, width, value) =>
    ({ key, name: key, title, kind: "text", width, value, text: (node) => value(node) ?? "", plain: (node) => value(node) ?? "" });
  const number = (key, title, value, text, plain = value) =>
    ({ key, name: key, title, kind: "number", width: title.length > 12 ? 136 : 98, value, text, plain: (node, judge) => plain(node, judge) ?? "" });
  const count = (key, title, value) =>
    number(key, title, value, (node) => value(node)?.toLocaleString("en") ?? "");
  const found = [
    { ...words_("id", "id", 150, (node) => outline.id(node)), name: "gen_id" },
    stageColumn(index),
    words_("template", "template", 120, (node) => own(node, 0)),
    words_("model", "model", 120, (node) => own(node, 1)),
    { ...count("replicate", "replicate", (node) => numeric(own(node, 2))), text: (node) => own(node, 2) ?? "" },
    ...index.dimensions.flatMap((_, dimension) => dimensionColumn(outline, dimension)),
    number("score", "score", (node, judge) => outline.share(node, judge),
      (node, judge) => outline.scoreText(node, judge), (node, judge) => rounded(outline, outline.share(node, judge), true)),
    number("spread", "spread of judges", (node) => outline.spread(node),
      (node) => outline.spreadText(node), (node) => rounded(outline, outline.spread(node), false)),
    count("judges", "judges", (node) => outline.judgesOf(node)),
    ...(outline.rated ? [
      number("people", "score by people", (node) => outline.peopleShare(node),
        (node) => placed(outline, outline.peopleShare(node)), (node) => rounded(outline, outline.peopleShare(node), true)),
      count("ratings", "ratings", (node) => outline.people(node).length || null),
    ] : []),
    count("characters", "characters", (node) => (node.row < 0 ? null : index.rows.chars[node.row])),
    words_("state", "state", 100, (node) => index.states[outline.state(node)]),
    words_("error", "error", 300, (node) => outline.error(node) || null),
  ];
  if (outline.unit) {
    for (const column of found) if (["score", "spread", "people"].includes(column.key)) column.name += "_percent";
  }
  return new Map(found.map((column) => [column.key, column]));
}

function stageColumn(index) {
  const name = (node) => index.stages[node.stage]?.name ?? "";
  return { key: "stage", name: "stage", title: "stage", kind: "text", width: 100, value: (node) => node.stage, text: name, plain: name };
}

function dimensionColumn(outline, dimension) {
  const { name } = outline.index.dimensions[dimension];
  if (!outline.varying[dimension]) return [];
  const has = (node) => node.levels.has(dimension);
  return [{
    key: dimension, name, title: words(name), kind: "text", width: 140,
    value: (node) => node.levels.get(dimension) ?? null,
    text: (node) => (has(node) ? (dimension ? outline.level(node, dimension) : outline.label(node, dimension)) : ""),
    plain: (node) => (has(node) ? outline.level(node, dimension) : ""),
  }];
}

// A level such as "10" as a number, so that it stands after "9".
function numeric(level) {
  if (level === null) return null;
  const value = Number(level);
  return Number.isFinite(value) ? value : level;
}

function placed(outline, share) {
  return share === null ? "" : outline.onScale(share).toFixed(1) + outline.unit;
}

function rounded(outline, share, placed) {
  if (share === null) return null;
  const [low, high] = outline.scale;
  return Number(((placed ? low : 0) + share * (high - low)).toFixed(6));
}

// The columns that do not say the same of all generations.
function tellingColumns(outline) {
  return [...outline.columns.values()].filter(({ value }) => {
    const first = outline.rows.length ? value(outline.rows[0], ALL) : null;
    return outline.rows.some((node) => value(node, ALL) !== first);
  });
}

// The columns that a table has at first: of the dimensions, the combo and those that are neither a
// template nor a model nor a replicate.
function firstColumns(outline) {
  const plain = new Set(outline.ownDimensions.flatMap((own) => own.slice(0, 3)));
  return tellingColumns(outline).map(({ key }) => key)
    .filter((key) => key !== "id" && key !== "state" && !plain.has(key));
}
