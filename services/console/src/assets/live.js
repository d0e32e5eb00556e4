// Live rows of the fleet, and a run's page that follows the run. When the connection is gone the page
// says so and looks like it: nothing pretends to be live.
"use strict";

const banner = document.getElementById("banner");

function lost(text) {
  banner.textContent = text;
  banner.hidden = false;
  document.body.classList.add("stale-page");
}

function found() {
  banner.hidden = true;
  document.body.classList.remove("stale-page");
}

const fleet = document.getElementById("fleet");
if (fleet) {
  const source = new EventSource(fleet.dataset.live);
  source.addEventListener("fleet", (event) => {
    fleet.innerHTML = event.data;
    found();
  });
  source.addEventListener("trouble", (event) => lost("Not live: " + event.data));
  source.onerror = () => lost("The connection to Muster is lost. What you see is old; trying again.");
}

// Only the run is replaced, so that a reason being typed into the stop form stays.
async function follow() {
  const run = document.getElementById("run");
  if (!run || !run.dataset.reload) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("run");
    if (fresh) run.replaceWith(fresh);
    found();
    // The end of a run changes the rest of the page too.
    if (fresh && !fresh.dataset.reload) location.reload();
  } catch {
    lost("The connection to Muster is lost. What you see is old; trying again.");
  }
  setTimeout(follow, 1000);
}
setTimeout(follow, 1000);
