#include "evaluation/study_browser.h"

namespace softcot {

// A change of the script needs its new hash: the test of this file says which.
const PageScript kBrowserScript = {R"js(
(() => {
  'use strict';
  const main = document.querySelector('main');
  const form = document.querySelector('.controls');
  const count = form.querySelector('output');
  const questions = [...document.querySelectorAll('section.question')].map((section) => ({
    section,
    task: section.dataset.task,
    text: null,
    answers: new Map([...section.querySelectorAll('.answer')].map((box) => [
      box.dataset.line,
      {box, right: box.dataset.right === '1', answer: box.dataset.answer},
    ])),
  }));
  const value = (name) => form.elements[name] ? form.elements[name].value : '';

  const matches = (chosen, show) => {
    const right = chosen.filter((each) => each.right).length;
    switch (show) {
      case 'right': return right === chosen.length;
      case 'wrong': return right === 0;
      case 'split': return right > 0 && right < chosen.length;
      case 'first': return chosen.length > 1 && chosen[0].right && right < chosen.length;
      case 'second': return chosen.length > 1 && !chosen[0].right && right > 0;
      case 'answers': return chosen.some((each) => each.answer !== chosen[0].answer);
      default: return true;
    }
  };

  const apply = () => {
    const wanted = [value('first'), value('second')].filter((line) => line !== '');
    const words = value('search').trim().toLowerCase();
    let shown = 0;
    for (const question of questions) {
      if (words !== '' && question.text === null) {
        question.text = question.section.textContent.toLowerCase();
      }
      const chosen = wanted.length === 0 ? [...question.answers.values()]
          : wanted.map((line) => question.answers.get(line)).filter((each) => each);
      const seen = (value('task') === '' || value('task') === question.task) &&
          chosen.length >= Math.max(1, wanted.length) && matches(chosen, value('show')) &&
          (words === '' || question.text.includes(words));
      question.section.hidden = !seen;
      if (seen) shown += 1;
      for (const each of question.answers.values()) {
        each.box.hidden = wanted.length > 0 && !chosen.includes(each);
        each.box.style.order = chosen.indexOf(each);
      }
    }
    main.classList.toggle('two', wanted.length === 2);
    count.textContent = `${shown} of ${questions.length} questions`;
  };

  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('input', apply);
  form.hidden = false;
  apply();
})();
)js",
                                   "sha256-Hh+hWe4oM+VRttVH3lzzPCDWVmY/+Aa9KMUfDkDaZZU="};

}  // namespace softcot
