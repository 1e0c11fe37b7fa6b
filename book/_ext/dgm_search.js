// How the search of the book ranks and shows what it finds. Sphinx writes this into language_data.js, which its own
// page of results loads after searchtools.js and before the index.
Scorer.score = ([page, , , , score]) => {
  if (page.startsWith("notebooks/")) return score + 10;                   // a chapter explains, a list points to it
  return /^book\/(claims|equations|runtimes|results|changes|errata|attributions)$/.test(page) ? score - 10 : score;
};
// Part of a word is found at its beginning alone: "FID" is not in "confidence".
const performTermsSearch = Search.performTermsSearch;
Search.performTermsSearch = (words, excluded) => {
  const index = Search._index, wanted = [...words];
  const begins = ([word]) => excluded.has(word) || wanted.some(each => word.startsWith(each));
  const beginnings = words => Object.fromEntries(Object.entries(words).filter(begins));
  Search._index = {...index, terms: beginnings(index.terms), titleterms: beginnings(index.titleterms)};
  try {
    return performTermsSearch(words, excluded);
  } finally {
    Search._index = index;
  }
};
// What is shown of a page is its text: no menus, no code, a formula once.
Search.htmlToText = (source, anchor) => {
  const article = new DOMParser().parseFromString(source, "text/html").querySelector("article");
  const found = anchor && article?.querySelector(anchor) || article;
  if (!found) return "";
  const unread = ".headerlink, script, style, nav, button, pre, .dgm-controls, .katex-html";
  for (const part of found.querySelectorAll(unread)) part.remove();
  return found.textContent.replace(/\s+/g, " ").trim();
};
