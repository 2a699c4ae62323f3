// A text in Markdown as elements. Its tokens become elements one by one, and every text a text node:
// no HTML is made of it, nothing is loaded, and links are text.

// What a writer of Markdown does, and a writer of prose does not.
const SIGNS = [
  /^#{1,6} \S/m,
  /^(```|~~~)/m,
  /\*\*[^\s*][^*\n]*\*\*/,
  /^ {0,3}[-*+] \S.*\n(?:.*\n)?\s*[-*+] \S/m,
  /^ {0,3}\d{1,3}[.)] \S.*\n(?:.*\n)?\s*\d{1,3}[.)] \S/m,
  /^.*\|.*\n *\|? *:?-{2,}:? *\|[ :|-]*$/m,
  /^> \S/m,
  /\[[^\]\n]+\]\([^)\s]+\)/,
];
const THINKS = /^[ \t]*<(think|thinking)>([\s\S]*?)(<\/\1>|(?![\s\S]))/gim;
// The parser's time grows with the square of the marks of emphasis in a paragraph, and with the
// length: a degenerate text must not stop the page.
const MOST_CHARACTERS = 300_000;
const MOST_MARKS = 3_000;

function looksLikeMarkdown(text) {
  if (text.length > MOST_CHARACTERS) return false;
  if (!SIGNS.some((sign) => sign.test(text)) && !/^[ \t]*<think(ing)?>|<\/think(ing)?>/im.test(text)) return false;
  return text.split(/\n\s*\n/).every((block) => (block.match(/[*_~`]+|[[\]]/g) ?? []).length < MOST_MARKS);
}

// The elements of a text, with what `pattern` finds marked; null if it cannot be read as Markdown.
function renderMarkdown(text, pattern) {
  try {
    const writer = new MarkdownWriter(pattern);
    return thinkingParts(text).map(({ thinking, part }) => (thinking ? writer.thinking(part) : writer.blocks(marked.lexer(part))));
  } catch (error) {
    // Nested too deeply; Firefox has an error of its own for it.
    if (error instanceof RangeError || error.name === "InternalError") return null;
    throw error;
  }
}

// What a model thought, and what it answered, in their order. A thought without an end is one only
// at the beginning of an answer, which was then cut; one without a beginning was begun by the prompt.
function thinkingParts(text) {
  const lone = /^([\s\S]*?)<\/(?:think|thinking)>/i.exec(text);
  if (lone && !/<think(ing)?>/i.test(lone[1])) {
    return [{ thinking: true, part: lone[1] }, { thinking: false, part: text.slice(lone[0].length) }];
  }
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(THINKS)) {
    if (!match[3] && text.slice(0, match.index).trim()) continue;
    parts.push({ thinking: false, part: text.slice(end, match.index) }, { thinking: true, part: match[2] });
    end = match.index + match[0].length;
  }
  return [...parts, { thinking: false, part: text.slice(end) }].filter(({ part }) => part.trim());
}

class MarkdownWriter {
  constructor(pattern) {
    this.pattern = pattern;
    // The title of the generation is the heading above.
    this.level = 2;
  }

  thinking(text) {
    return h("details.thinking", {},
      h("summary", {}, `Thinking: ${plural(text.trim().length, "character")}`),
      this.blocks(marked.lexer(text)));
  }

  blocks(tokens) {
    return tokens.map((token) => this.#block(token));
  }

  #block(token) {
    switch (token.type) {
      case "space": return null;
      case "hr": return h("hr");
      case "heading": return this.#heading(token);
      case "paragraph": return h("p", { dir: "auto" }, this.#inline(token.tokens));
      case "text": return token.tokens ? this.#inline(token.tokens) : this.#text(token.text);
      case "blockquote": return h("blockquote", {}, this.blocks(token.tokens));
      case "code": return h("pre.code", {}, this.#text(token.text));
      case "list": return this.#list(token);
      case "table": return this.#table(token);
      case "checkbox": return token.checked ? "☑ " : "☐ ";
      default: return h("p", { dir: "auto" }, this.#text(token.raw.trimEnd()));
    }
  }

  // No level is left out on the way down, whatever the text does.
  #heading({ depth, tokens }) {
    this.level = Math.min(depth + 2, this.level + 1, 6);
    return h(`h${this.level}.depth${depth}`, { dir: "auto" }, this.#inline(tokens));
  }

  #list({ ordered, start, items }) {
    const attributes = ordered && start !== 1 ? { start } : {};
    return h(ordered ? "ol" : "ul", attributes, items.map((item) => h(item.task ? "li.task" : "li", { dir: "auto" }, this.blocks(item.tokens))));
  }

  // As wide as it likes: it has a scroll bar of its own.
  #table({ header, rows }) {
    const cell = (tag, { tokens, align, text }) =>
      h((text ? tag : "td") + (align ? `.${align}` : ""), { scope: tag === "th" && text ? "col" : null, dir: "auto" }, this.#inline(tokens));
    return h("div.wide", { tabindex: 0, role: "region", "aria-label": "Table in the text" }, h("table", {},
      h("thead", {}, h("tr", {}, header.map((each) => cell("th", each)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((each) => cell("td", each)))))));
  }

  #inline(tokens) {
    return tokens.map((token) => {
      switch (token.type) {
        case "strong": return h("strong", {}, this.#inline(token.tokens));
        case "em": return h("em", {}, this.#inline(token.tokens));
        case "del": return h("s", {}, this.#inline(token.tokens));
        case "codespan": return h("code", {}, this.#text(token.text));
        case "br": return "\n";
        case "link": return this.#link(token);
        case "image": return [h("span.picture", {}, "picture: ", this.#text(token.text)), h("span.address", {}, this.#text(` (${token.href})`))];
        case "text": return token.tokens ? this.#inline(token.tokens) : this.#text(token.text);
        case "escape": return this.#text(token.text);
        case "checkbox": return token.checked ? "☑ " : "☐ ";
        default: return this.#text(token.raw);
      }
    });
  }

  // What is linked, and where to, if this is not the same.
  #link({ tokens, text, href }) {
    const bare = href.replace(/^(mailto:|https?:\/\/)/, "");
    const alone = [href, bare].includes(text);
    return [h("span.link", {}, this.#inline(tokens)), alone ? null : h("span.address", {}, this.#text(` (${href})`))];
  }

  #text(text) {
    return highlighted(text, this.pattern);
  }
}
