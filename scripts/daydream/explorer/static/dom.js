// Elements of the page. A text only ever becomes a text node: there is no innerHTML anywhere.

const $ = (id) => document.getElementById(id);

// An element: h("a.quiet", {href: "#x"}, "text", child, ...); null children are left out.
function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// A text with what `pattern` finds in it marked.
function highlighted(text, pattern) {
  if (!pattern) return [text];
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    parts.push(text.slice(end, match.index), h("mark", {}, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}

// A name whose middle is left out where there is too little room for it: names may differ only at
// their ends. Of the two parts the style shortens the first; combining marks stay with their letters.
function shortened(name) {
  const parts = name.length > 24 ? name.match(/^(.+?)((?:\P{M}\p{M}*){12})$/su) : null;
  return parts ? [h("span.start", {}, parts[1]), h("span.end", {}, parts[2])] : [name];
}

function plural(count, noun) {
  const stem = noun.replace(/([^aeiou])y$/, "$1ie").replace(/(s|x|z|ch|sh)$/, "$1e");
  const forms = count === 1 ? noun : `${stem}s`;
  return `${count.toLocaleString("en")} ${forms}`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function words(dimension) {
  return dimension.replaceAll("_", " ").replace(/\bllm\b/, "model").replace(/^(combo|item) id$/, "$1");
}
