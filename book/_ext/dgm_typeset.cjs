// Formulas of the pages, typeset by MathJax in Node. Reads a job from standard input and answers on standard output:
//   {mathjax: folder, tex: settings, pages: [{fonts: address, formulas: [[tex, displayed], …]}, …]}
//   → [{html: […], css: "…", faults: [[tex, message], …]}, …]
// Each page's style has rules for the characters of that page alone, and the words for screen readers are MathML.
const { readFileSync } = require("node:fs");

const job = JSON.parse(readFileSync(0, "utf-8"));

async function main() {
  const MathJax = await require(job.mathjax).init({
    loader: { load: ["input/tex", "output/chtml", "a11y/assistive-mml"] },
    tex: { ...job.tex, packages: { "[-]": ["noundefined"] } },   // which would show a slip in red and go on
    chtml: { matchFontHeight: false, fontURL: "FONTS" },
    startup: { typeset: false },
  });
  const { adaptor, output } = MathJax.startup;
  const pages = [];
  for (const { fonts, formulas } of job.pages) {
    output.clearCache();
    MathJax.texReset();
    const html = [];
    const faults = [];
    for (const [tex, display] of formulas) {
      const node = await MathJax.tex2chtmlPromise(tex, { display });
      const markup = adaptor.outerHTML(node);
      const fault = /data-mjx-error="([^"]*)"/.exec(markup);
      if (fault) faults.push([tex, fault[1]]);
      html.push(markup);
    }
    const css = formulas.length ? adaptor.textContent(MathJax.chtmlStylesheet()).replaceAll("FONTS", fonts) : "";
    pages.push({ html, css, faults });
  }
  process.stdout.write(JSON.stringify(pages));
}

main().catch((error) => {
  console.error(error && error.stack ? error.stack : error);
  process.exit(1);
});
