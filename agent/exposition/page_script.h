// The status page's script: it keeps the page fresh in place and says when it can't.
#pragma once

namespace volumeter {

inline constexpr const char* kPageScript = R"js('use strict';
(() => {
  const interval = 10000;
  const deadline = 5000;
  const notice = document.getElementById('notice');
  const shown = () => document.getElementById('taken');

  const form = document.querySelector('form');
  if (form) {
    form.querySelector('button').hidden = true;
    form.querySelector('select').addEventListener('change', () => form.submit());
  }

  // What somebody has opened, focused or scrolled to stays.
  const replace = (next) => {
    const main = document.getElementById('main');
    const open = [...main.querySelectorAll('details')].map((one) => one.open);
    const scrolled = [...main.querySelectorAll('.scroll')].map((one) => one.scrollLeft);
    const stops = (of) => [...of.querySelectorAll('.scroll, summary')];
    const focused = stops(main).indexOf(document.activeElement);
    const fresh = document.adoptNode(next.getElementById('main'));
    fresh.querySelectorAll('details').forEach((one, i) => { one.open = open[i] || false; });
    main.replaceWith(fresh);
    fresh.querySelectorAll('.scroll').forEach((one, i) => { one.scrollLeft = scrolled[i] || 0; });
    if (focused >= 0) stops(fresh)[focused]?.focus({ preventScroll: true });
    shown().replaceWith(document.adoptNode(next.getElementById('taken')));
  };

  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, {
        headers: { Accept: 'text/html' },
        cache: 'no-store',
        signal: AbortSignal.timeout(deadline),
      });
      if (!answer.ok) throw new Error(`the agent answers ${answer.status}`);
      replace(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      notice.textContent = '';
    } catch (error) {
      const why = error instanceof TypeError || error.name === 'TimeoutError' ? 'the agent does not answer' : error.message;
      notice.textContent = `Not fresh: ${why}. What is below is from ${shown().textContent}.`;
    }
  };
  setInterval(refresh, interval);
  document.addEventListener('visibilitychange', refresh);
})();
)js";

}  // namespace volumeter
