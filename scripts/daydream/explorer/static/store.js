// What is packed in the page: the index at once, the texts chunk by chunk when they are asked for.

const PARSED = 0, RAW = 1, PROMPT = 2, METADATA = 3, JOURNAL = 4;

async function unpack(element) {
  const packed = atob(element.textContent.trim());
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

class Texts {
  // Unpacked chunks are kept, the last used ones: a search must not fill the memory with all.
  static KEPT = 24;

  constructor(starts) {
    this.starts = starts;
    this.elements = [...document.querySelectorAll("script.chunk")];
    this.kept = new Map();
  }

  get chunks() {
    return this.starts.length;
  }

  async chunk(number) {
    let entries = this.kept.get(number);
    this.kept.delete(number);
    if (!entries) entries = unpack(this.elements[number]);
    this.kept.set(number, entries);
    if (this.kept.size > Texts.KEPT) this.kept.delete(this.kept.keys().next().value);
    return entries;
  }

  // The texts of a row: an array, in the order of the constants above.
  async of(row) {
    let low = 0, high = this.starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle] <= row) low = middle; else high = middle - 1;
    }
    return (await this.chunk(low))[row - this.starts[low]];
  }
}

// The words of a query as expressions, all of which a text must meet.
function queryTerms(query) {
  const terms = [...query.matchAll(/"([^"]+)"?|(\S+)/g)].map((match) => (match[1] ?? match[2]).trim());
  return terms.filter((term) => term && term !== '"').map((term) => {
    const literal = term.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/\s+/g, "\\s+");
    return new RegExp(literal, "iu");
  });
}

// One expression for any of the terms, to mark them; null if there is none.
function anyTerm(terms) {
  return terms.length ? new RegExp(terms.map((term) => term.source).join("|"), "giu") : null;
}

// Search all texts and `names(row)`. `found(row, snippet)` is told of each hit; `progress(share)` now and then;
// `stale()` says that nobody waits for the result any more.
async function searchTexts(texts, names, terms, { prompts, found, progress, stale }) {
  for (let number = 0; number < texts.chunks; number += 1) {
    const entries = await texts.chunk(number);
    if (stale()) return false;
    entries.forEach((entry, place) => {
      const row = texts.starts[number] + place;
      const [parsed, raw, prompt] = entry;
      const fields = [raw, parsed === raw ? null : parsed, prompts ? prompt : null, names(row)];
      const present = fields.filter((field) => field !== null);
      if (terms.every((term) => present.some((field) => term.test(field)))) {
        found(row, snippet(present.find((field) => terms[0].test(field)), terms[0]));
      }
    });
    progress((number + 1) / texts.chunks);
  }
  return true;
}

function snippet(text, term) {
  const at = text.search(term);
  const begin = at > 28 ? text.indexOf(" ", at - 28) + 1 || at : 0;
  const from = begin > at ? at : begin;
  const lead = from > 0 ? "…" : "";
  return lead + text.slice(from, from + 160).replace(/\s+/g, " ");
}
