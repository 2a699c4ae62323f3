// What a person is given to rate: texts, or pairs of texts, drawn by a seed. No DOM in here.
//
// A plan is {kind: "single" or "pair", judged, template, seed, size}. The same plan draws the same of
// the same texts, in the same order, whatever order the page has them in.

// Numbers from 0 to 1 that follow from a text: a hash of it begins mulberry32 (Ettinger, 2017).
function numbersFrom(text) {
  let at = 1779033703;
  for (const character of text) {
    at = Math.imul(at ^ character.codePointAt(0), 3432918353);
    at = (at << 13) | (at >>> 19);
  }
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(items, random) {
  const found = [...items];
  for (let at = found.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [found[at], found[other]] = [found[other], found[at]];
  }
  return found;
}

// Template, model and further dimensions of all of its stages, without combo and replicate.
function recipeOf(node, outline) {
  const replicates = new Set(outline.ownDimensions.map((own) => own[2]));
  return [...node.levels].filter(([dimension]) => dimension && !replicates.has(dimension))
    .map(([dimension, level]) => `${dimension}:${level}`).join(" ");
}

// By what a plan has texts rated (`index.criteria`); undefined if the page does not have it.
function criterionOf(outline, plan) {
  return outline.index.criteria.find(({ judged, template }) => judged === plan.judged && template === plan.template);
}

// What can be rated by a criterion: texts that are complete.
function textsOf(outline, { stage }) {
  return outline.rows.filter((node) => node.stage === stage && outline.complete(node));
}

function recipesOf(nodes, outline) {
  return Map.groupBy(nodes, (node) => recipeOf(node, outline));
}

// The items of a plan: lists of one node each, or of two, the left one first.
function drawn(outline, plan) {
  const random = numbersFrom(`${plan.kind} ${plan.seed}`);
  const nodes = textsOf(outline, criterionOf(outline, plan))
    .sort((a, b) => (outline.id(a) < outline.id(b) ? -1 : 1));
  return plan.kind === "pair" ? drawnPairs(nodes, outline, plan.size, random)
    : drawnTexts(nodes, outline, plan.size, random).map((node) => [node]);
}

// Equally many of each recipe, as far as there are any; which ones, and in which order, is chance.
function drawnTexts(nodes, outline, size, random) {
  const recipes = shuffled(recipesOf(nodes, outline).values(), random)
    .map((own) => shuffled(own, random));
  const picked = [];
  for (let round = 0; picked.length < Math.min(size, nodes.length); round += 1) {
    picked.push(...recipes.filter((own) => own.length > round).map((own) => own[round]));
  }
  return shuffled(picked.slice(0, size), random);
}

// Two texts of one combo and two recipes: the combos in turn, and of each the recipes that had the
// fewest turns so far.
function drawnPairs(nodes, outline, size, random) {
  const turns = new Map();
  const known = new Set();
  const pairs = [];
  const combos = shuffled(Map.groupBy(nodes, (node) => node.levels.get(0)).values(), random)
    .map((own) => [...recipesOf(own, outline)])
    .filter((recipes) => recipes.length > 1);
  for (let tries = 0; combos.length && pairs.length < size && tries < 20 * size; tries += 1) {
    const recipes = shuffled(combos[tries % combos.length], random)
      .sort(([a], [b]) => (turns.get(a) ?? 0) - (turns.get(b) ?? 0)).slice(0, 2);
    const pair = recipes.map(([, own]) => own[Math.floor(random() * own.length)]);
    const name = pair.map((node) => outline.id(node)).sort().join(" ");
    recipes.forEach(([recipe]) => turns.set(recipe, (turns.get(recipe) ?? 0) + 1));
    const turned = random() < 0.5 ? pair.reverse() : pair;
    if (!known.has(name)) pairs.push(turned);
    known.add(name);
  }
  return shuffled(pairs, random);
}
