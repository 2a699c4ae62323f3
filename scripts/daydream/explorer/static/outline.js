// The tree of a cohort, and what a choice of filters and order leaves of it. No DOM in here.
//
// A node is a combo or a generation: {number, row, stage, parent, children, depth, levels, scores,
// lacking}.
// A combo has row and stage -1. `levels` has, by number of a dimension, the level of the node or of
// an ancestor. `scores` has, by judge, the sum and the count of the scores at and below the node, as
// shares of their scales. `lacking` has, by number of a state, how many generations below the node
// are in it, of those that are not complete.

const ALL = "";

class Outline {
  constructor(index) {
    this.index = index;
    this.nodes = [];
    this.judges = [];
    this.rows = [];
    const { rows, dimensions, stages } = index;
    this.ownDimensions = stages.map((_, stage) =>
      [...dimensions.keys()].filter((d) => dimensions[d].stage === stage));
    this.roots = dimensions[0].levels.map((_, level) => this.#add(-1, -1, null, [[0, level]]));
    rows.id.forEach((_, row) => {
      const parent = rows.parent[row] < 0 ? this.roots[rows.levels[row][0]] : this.rows[rows.parent[row]];
      const own = this.ownDimensions[rows.stage[row]].map((d, place) => [d, rows.levels[row][place + 1]]);
      this.rows.push(this.#add(row, rows.stage[row], parent, own));
    });
    this.byId = new Map(rows.id.map((id, row) => [id, this.rows[row]]));
    this.#score();
    this.rows.filter((node) => !this.complete(node)).forEach((node) => {
      const state = this.state(node);
      for (let at = node.parent; at; at = at.parent) at.lacking[state] = (at.lacking[state] ?? 0) + 1;
    });
    const scales = new Set(index.scales.map(String));
    this.scale = scales.size === 1 ? index.scales[0] : [0, 100];
    this.unit = scales.size === 1 ? "" : " %";
    this.varying = dimensions.map((dimension) => dimension.levels.length > 1);
    this.columns = columnsOf(this);
  }

  #add(row, stage, parent, own) {
    const levels = new Map(parent ? parent.levels : []);
    own.forEach(([dimension, level]) => levels.set(dimension, level));
    const node = {
      number: this.nodes.length, row, stage, parent, levels,
      children: [], depth: parent ? parent.depth + 1 : 0, scores: new Map(), lacking: [],
    };
    this.nodes.push(node);
    if (parent) parent.children.push(node);
    return node;
  }

  #score() {
    const { rows, scales } = this.index;
    const judges = new Set();
    this.rows.forEach((node) => {
      if (!this.scored(node)) return;
      const judge = this.judgeOf(node);
      judges.add(judge);
      const score = rows.score[node.row];
      if (score === null) return;
      const [low, high] = scales[rows.scale[node.row]];
      const share = high > low ? (score - low) / (high - low) : 0;
      for (let at = node; at; at = at.parent) {
        // A score of its own counts for more than those of what was made of it.
        if (at !== node && this.scored(at)) continue;
        for (const name of [ALL, judge]) {
          const [sum, count] = at.scores.get(name) ?? [0, 0];
          at.scores.set(name, [sum + share, count + 1]);
        }
      }
    });
    this.judges = [...judges];
    if (this.index.panel === "median") this.#takeMedians();
  }

  // Of a judged text, the median over its judges counts instead of each score; above it, the mean
  // of these.
  #takeMedians() {
    const open = this.nodes.filter((node) => !this.scored(node));
    open.forEach((node) => node.scores.delete(ALL));
    open.forEach((node) => {
      const means = this.#byJudge(node).sort((a, b) => a - b);
      if (!means.length) return;
      const [low, high] = [means[(means.length - 1) >> 1], means[means.length >> 1]];
      for (let at = node; at; at = at.parent) {
        if (this.scored(at)) continue;
        const [sum, count] = at.scores.get(ALL) ?? [0, 0];
        at.scores.set(ALL, [sum + (low + high) / 2, count + 1]);
      }
    });
  }

  // The mean share that each judge gave a text.
  #byJudge(node) {
    const given = new Map();
    node.children.filter((child) => this.scored(child) && child.scores.has(ALL)).forEach((child) => {
      const [sum, count] = given.get(this.judgeOf(child)) ?? [0, 0];
      given.set(this.judgeOf(child), [sum + this.share(child), count + 1]);
    });
    return [...given.values()].map(([sum, count]) => sum / count);
  }

  // What the score beside a node is, as "the mean of 4 scores".
  scoreTitle(node, judge = ALL) {
    if (this.scored(node)) return "its score";
    const count = this.count(node, judge).toLocaleString("en");
    if (judge !== ALL || this.index.panel !== "median") return `the mean of ${count} score${count === "1" ? "" : "s"}`;
    if (this.#byJudge(node).length && count === "1") return "the median over its judges";
    return `the mean of ${count} text${count === "1" ? "" : "s"}, of each the median over its judges`;
  }

  scored(node) {
    return node.stage >= 0 && this.index.stages[node.stage].scored;
  }

  // The model and the template of a scored generation, and its stage's further dimensions.
  judgeOf(node) {
    const [template, model, , ...further] = this.ownDimensions[node.stage];
    return [model, template, ...further].map((d) => this.level(node, d)).join(" · ");
  }

  level(node, dimension) {
    return this.index.dimensions[dimension].levels[node.levels.get(dimension)];
  }

  label(node, dimension) {
    return this.index.dimensions[dimension].labels[node.levels.get(dimension)];
  }

  id(node) {
    return node.row < 0 ? this.level(node, 0) : this.index.rows.id[node.row];
  }

  // The number of its state; that of a combo is 0, as of whatever is complete.
  state(node) {
    return node.row < 0 ? 0 : this.index.rows.state[node.row];
  }

  complete(node) {
    return this.state(node) === 0;
  }

  // Why a node is not complete, as "stale: template changed"; empty if it is.
  reason(node) {
    if (this.complete(node)) return "";
    return `${this.index.states[this.state(node)]}: ${this.index.reasons[node.row]}`;
  }

  // What is not complete below a node, as "1 failed, 2 blocked"; empty if all is.
  below(node) {
    return this.index.states.map((name, state) => [node.lacking[state] ?? 0, name])
      .filter(([count]) => count).map(([count, name]) => `${count.toLocaleString("en")} ${name}`).join(", ");
  }

  // What people have scored it: {rater, template, score, share, comment}, the score as text.
  people(node) {
    return node.row < 0 ? [] : this.index.ratings[node.row] ?? [];
  }

  // Whether people have scored anything here.
  get rated() {
    return Object.keys(this.index.ratings).length > 0;
  }

  // The mean share of what people have scored it; null without any.
  peopleShare(node) {
    const shares = this.people(node).map(({ share }) => share);
    return shares.length ? shares.reduce((sum, share) => sum + share, 0) / shares.length : null;
  }

  // Whether the text is its parent's: then its model and further dimensions had no part in it.
  copied(node) {
    return this.index.copies[node.stage].includes(node.levels.get(this.ownDimensions[node.stage][0]));
  }

  // Which of its texts were changed by hand, by the names of their phases.
  edited(node) {
    return node.row < 0 ? [] : this.index.edited[node.row] ?? [];
  }

  // The mean share of the scores at and below a node, of all judges or of one; null without any.
  share(node, judge = ALL) {
    const [sum, count] = node.scores.get(judge) ?? [0, 0];
    return count ? sum / count : null;
  }

  count(node, judge = ALL) {
    return (node.scores.get(judge) ?? [0, 0])[1];
  }

  // The number of the scores at and below a node, also where `count` is that of texts.
  given(node, judge = ALL) {
    if (judge !== ALL) return this.count(node, judge);
    return [...node.scores].reduce((sum, [name, [, count]]) => sum + (name === ALL ? 0 : count), 0);
  }

  // A share on the scale of the templates, if they have the same, else in percent.
  onScale(share) {
    // Without the error of sums of shares, which would make 2.7 of 2.75.
    return Math.round((this.scale[0] + share * (this.scale[1] - this.scale[0])) * 1e9) / 1e9;
  }

  scoreText(node, judge = ALL) {
    const share = this.share(node, judge);
    if (share === null) return "";
    const value = this.onScale(share);
    return (Number.isInteger(value) && this.scored(node) ? String(value) : value.toFixed(1)) + this.unit;
  }

  // What tells a node from its siblings, in few words.
  title(node) {
    if (node.row < 0) return this.label(node, 0);
    const [template, model, replicate, ...further] = this.ownDimensions[node.stage];
    const parts = [this.level(node, template)];
    if (this.varying[model]) parts.push(this.level(node, model));
    further.filter((d) => this.varying[d]).forEach((d) => parts.push(this.level(node, d)));
    if (this.varying[replicate]) parts.push(`#${this.level(node, replicate)}`);
    return parts.join(" · ");
  }

  // The titles of its ancestors, from the combo on.
  path(node) {
    const line = [];
    for (let at = node.parent; at; at = at.parent) line.unshift(this.title(at));
    return line;
  }

  // What a search by name finds a generation by: its id, and the ids and names of its own template,
  // model and further dimensions; for the first stage also its combo and what this is made of.
  names(row) {
    const node = this.rows[row];
    const own = this.ownDimensions[node.stage].flatMap((d) => [this.level(node, d), this.label(node, d)]);
    const combo = node.parent.row < 0
      ? [this.level(node, 0), this.label(node, 0), ...this.index.subjects[node.levels.get(0)].flatMap(([name, value]) => [name, value])] : [];
    return [...new Set([this.index.rows.id[row], ...own, ...combo])].join(" · ");
  }

  // How far apart the highest and the lowest score of a text are, as a share; null for fewer than two.
  spread(node) {
    const shares = node.children.filter((child) => this.scored(child)).map((child) => this.share(child))
      .filter((share) => share !== null);
    return shares.length > 1 ? Math.max(...shares) - Math.min(...shares) : null;
  }

  spreadText(node) {
    const spread = this.spread(node);
    if (spread === null) return "";
    return (spread * (this.scale[1] - this.scale[0])).toFixed(1) + this.unit;
  }

  // How many judges gave the scores at and below a node; null for a judgement itself.
  judgesOf(node) {
    if (this.scored(node)) return null;
    return [...node.scores.keys()].filter((judge) => judge !== ALL).length;
  }

  // The number of the kind of failure for which it lacks its text or its score; null if it has both.
  kind(node) {
    return this.index.kind[node.row] ?? null;
  }

  // Why a generation is not complete, or has no score; empty if it is as it should be.
  error(node) {
    return node.row < 0 ? "" : this.reason(node) || this.index.errors[node.row] || "";
  }

  // The generations that meet a choice: {stage, filters: Map of dimension -> Set of levels, states:
  // Set, kinds: Set, judge, low, high, hits: Set of rows, or null}.
  //
  // A generation meets a filter of a later stage if something that meets it was made of it.
  matching(choice) {
    const met = new Set();
    const filters = [...choice.filters].filter(([, levels]) => levels.size);
    const meets = (node) => filters.every(([dimension, levels]) =>
      !node.levels.has(dimension) || levels.has(node.levels.get(dimension)));
    for (const node of this.rows.toReversed()) {
      if (!meets(node)) continue;
      const complete = filters.every(([dimension]) => node.levels.has(dimension));
      if (complete || node.children.some((child) => met.has(child))) met.add(node);
    }
    for (const node of met) {
      // Filtered in a second pass, as a parent must see children that a score or stage leaves out.
      const share = this.share(node, choice.judge);
      const value = share === null ? null : this.onScale(share);
      const keep = (choice.stage < 0 || node.stage === choice.stage)
        && (!choice.states.size || choice.states.has(this.state(node)))
        && (!choice.kinds.size || choice.kinds.has(this.kind(node)))
        && (choice.low === null || (value !== null && value >= choice.low - 1e-9))
        && (choice.high === null || (value !== null && value <= choice.high + 1e-9))
        && (!choice.hits || choice.hits.has(node.row));
      if (!keep) met.delete(node);
    }
    return met;
  }

  // The scored generations, of the judge if one is chosen, whose dimensions the filters leave and of
  // which they or an ancestor meet the rest of the choice: its stage, search, state and bounds.
  scoresLeft(choice, met = this.matching(choice)) {
    const none = new Set();
    const within = this.matching({ ...choice, stage: -1, states: none, kinds: none, low: null, high: null, hits: null });
    return this.rows.filter((node) => {
      if (!within.has(node) || !this.scored(node) || this.share(node) === null) return false;
      if (choice.judge !== ALL && this.judgeOf(node) !== choice.judge) return false;
      for (let at = node; at; at = at.parent) if (met.has(at)) return true;
      return false;
    });
  }

  // How many of the scores at and below each node a choice leaves; `met` is what meets it.
  scoresBelow(choice, met) {
    const counts = new Map();
    for (const node of this.scoresLeft(choice, met)) {
      for (let at = node; at; at = at.parent) {
        if (at === node || !this.scored(at)) counts.set(at, (counts.get(at) ?? 0) + 1);
      }
    }
    return counts;
  }

  // The texts that people have scored, whose dimensions the filters leave and that meet the rest of
  // the choice, as does something that they were made of, or that was made of them.
  ratedLeft(choice) {
    const met = this.matching(choice);
    const none = new Set();
    const within = this.matching({ ...choice, stage: -1, states: none, kinds: none, low: null, high: null, hits: null });
    const near = new Set();
    for (const node of met) for (let at = node; at && !near.has(at); at = at.parent) near.add(at);
    return this.rows.filter((node) => {
      if (!within.has(node) || !this.people(node).length) return false;
      if (near.has(node)) return true;
      for (let at = node.parent; at; at = at.parent) if (met.has(at)) return true;
      return false;
    });
  }

  // The nodes in the order they are shown: as a list, or as a tree in which the branches for which
  // `closed(node)` are shut and the ancestors of what matches are kept.
  arrange(matching, choice, closed) {
    const compare = this.#order(choice);
    if (choice.view !== "tree") return this.rows.filter((node) => matching.has(node)).sort(compare);
    const kept = new Set();
    for (const node of matching) {
      for (let at = node; at && !kept.has(at); at = at.parent) kept.add(at);
    }
    const shown = [];
    this.position = new Map();
    this.siblings = new Map();
    const visit = (nodes) => {
      const family = nodes.filter((node) => kept.has(node)).sort(compare);
      family.forEach((node, place) => {
        if (!place) this.siblings.set(node.parent, family.length);
        this.position.set(node, place + 1);
        shown.push(node);
        if (!closed(node)) visit(node.children);
      });
    };
    visit(this.roots);
    this.kept = kept;
    return shown;
  }

  branches(node) {
    return node.children.some((child) => this.kept?.has(child));
  }

  #order({ sort, descending, judge }) {
    const sign = descending ? -1 : 1;
    if (sort === "design") return (a, b) => sign * (a.number - b.number);
    const values = new Map();
    const value = (node) => {
      if (!values.has(node)) values.set(node, this.columns.get(sort).value(node, judge));
      return values.get(node);
    };
    // What has no value stands last either way; equals keep the order of the design.
    return (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === y) return a.number - b.number;
      if (x === null) return 1;
      if (y === null) return -1;
      return x < y ? -sign : sign;
    };
  }
}
