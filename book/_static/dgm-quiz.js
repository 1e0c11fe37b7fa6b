// Questions that answer back. Each page holds its answers, folded away; with this script one chooses first and checks.
(() => {
  const answered = new WeakSet();

  // 0.25, 0,25, 1/4, −3, 1,024: as people write numbers. NaN if it is none.
  const read = text => {
    const plain = text.trim().replace(/[−–]/g, "-").replace(/\s/g, "");
    const one = part => {
      if (/^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(part)) return Number(part.replace(/,/g, ""));
      return /^[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?$/i.test(part) ? Number(part.replace(",", ".")) : NaN;
    };
    const halves = plain.split("/");
    if (halves.length > 2) return NaN;
    return halves.length === 2 ? one(halves[0]) / one(halves[1]) : one(plain);
  };

  const start = form => {
    const verdict = form.querySelector(".dgm-verdict");
    const answer = form.querySelector(".dgm-answer");
    const number = form.querySelector(".dgm-number");
    const reasons = [...answer.querySelectorAll("li")];

    for (const control of form.querySelectorAll(".dgm-quiz-check, .dgm-number")) control.hidden = false;
    answer.hidden = true;

    const clear = () => {
      verdict.replaceChildren();
      verdict.className = "dgm-verdict";
      for (const option of form.querySelectorAll(".dgm-option")) option.classList.remove("dgm-right", "dgm-wrong");
    };

    // The line that fits the answer, or what is missing, in words.
    const judge = () => {
      if (!number) {
        const chosen = form.querySelector("input:checked");
        return chosen ? reasons.find(line => line.dataset.option === chosen.value) : "Choose one of the answers first.";
      }
      const value = read(number.querySelector("input").value);
      if (Number.isNaN(value)) return "Write a number first, such as 0.25 or 1/4.";
      const near = line => Math.abs(value - line.dataset.value) <= Number(line.dataset.tolerance) * (1 + 1e-9);
      return reasons.find(line => "value" in line.dataset && near(line)) || reasons.find(l => "otherwise" in l.dataset);
    };

    const keepScore = () => {
      const quiz = form.closest(".dgm-quiz");
      const score = quiz.querySelector(".dgm-quiz-score");
      const right = [...quiz.querySelectorAll("form")].filter(each => answered.has(each)).length;
      score.textContent = `${right} of ${quiz.dataset.questions} answered right.`;
      score.hidden = false;
    };

    form.addEventListener("submit", event => {
      event.preventDefault();
      clear();
      const line = judge();
      const word = document.createElement("strong");
      if (typeof line === "string") {
        word.textContent = line;
        verdict.append(word);
        return;
      }
      const right = "right" in line.dataset;
      word.textContent = right ? "✓ Right. " : "✗ Not yet. ";
      const because = line.querySelector(".dgm-because").cloneNode(true);
      for (const formula of because.querySelectorAll("[tabindex]")) formula.removeAttribute("tabindex");
      verdict.append(word, because);
      verdict.classList.add(right ? "dgm-right" : "dgm-wrong");
      const chosen = form.querySelector("input:checked");
      if (chosen) chosen.closest("label").classList.add(right ? "dgm-right" : "dgm-wrong");
      if (right) {
        answered.add(form);
        answer.hidden = false;
        answer.querySelector("summary").textContent = "And the other answers?";
      }
      keepScore();
    });
    form.addEventListener("input", clear);
  };

  for (const form of document.querySelectorAll(".dgm-question")) start(form);

  // On paper all answers stand open.
  const opened = new Set();
  addEventListener("beforeprint", () => {
    for (const answer of document.querySelectorAll(".dgm-answer")) {
      if (!answer.open) opened.add(answer);
      answer.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const answer of opened) answer.open = false;
    opened.clear();
  });
})();
