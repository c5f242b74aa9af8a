(() => {
  "use strict";
  const every = 5000;
  let seen = Date.now();
  const lost = (text) => {
    let bar = document.getElementById("lost");
    document.body.classList.toggle("lost", text !== "");
    if (text === "") { if (bar) bar.remove(); return; }
    if (!bar) {
      bar = document.createElement("p");
      bar.id = "lost";
      bar.setAttribute("role", "alert");
      document.body.prepend(bar);
    }
    if (bar.textContent !== text) bar.textContent = text;
  };
  const take = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const open = [...document.querySelectorAll("details[open]")].map((one) => one.id);
    for (const part of ["header", "main"]) {
      const fresh = page.querySelector(part);
      if (!fresh) throw new Error("not the page");
      document.querySelector(part).replaceWith(document.adoptNode(fresh));
    }
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    document.title = page.title;
    const icon = page.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").href = icon.href;
  };
  const look = async () => {
    try {
      if (document.hidden && Date.now() - seen < 60000) return;
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      // What a person has selected is left alone.
      if (!getSelection().toString() && !document.activeElement.closest("main")) take(text);
      seen = Date.now();
      lost("");
    } catch {
      const age = Math.round((Date.now() - seen) / 1000);
      if (age >= 10) lost(`The watcher does not answer. What is below is ${age} s old.`);
    } finally {
      setTimeout(look, every);
    }
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden && Date.now() - seen > every) lost("Asking the watcher…"); });
  setTimeout(look, every);
})();
