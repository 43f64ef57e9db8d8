"use strict";
// What the page asks of its server and draws over the motions; the motions themselves are drawn by viewer.js.
const by = id => document.getElementById(id);
const clips = [];
let about = { fps: 20, formats: [], candidates: 16 }, chosen = -1, asking = null;
const clip = () => clips[chosen];
// The token of a server for others stands behind the address, where it is sent to nobody.
const token = new URLSearchParams(location.hash.slice(1)).get("token");

// ---- asking ---------------------------------------------------------------------------------------------------

async function ask(path, body, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body) });
  if (answer.ok) return answer;
  let said = `${answer.status} ${answer.statusText}`;
  try { said = (await answer.json()).error.message; } catch { /* no envelope */ }
  throw new Error(answer.status === 401 ? "this server needs its token: open the address that it printed" : said);
}

function say(text, wrong = false) {
  by("status").textContent = text;
  by("status").classList.toggle("wrong", wrong);
}

// One request at a time; Stop leaves, and the server drops the work.
async function act(what, work) {
  if (asking) return;
  asking = new AbortController();
  document.body.setAttribute("aria-busy", "true");
  by("stop").hidden = false;
  for (const id of ["make", "redraw", "keep"]) by(id).disabled = true;
  const began = performance.now(), clock = setInterval(() => say(`${what} ${Math.round((performance.now() - began) / 1000)} s`), 500);
  say(`${what} …`);
  try {
    const notes = await work(asking.signal);
    say([`${((performance.now() - began) / 1000).toFixed(1)} s`, ...(notes || [])].join(". "));
  } catch (error) {
    say(error.name === "AbortError" ? "stopped" : error.message, error.name !== "AbortError");
  } finally {
    clearInterval(clock);
    asking = null;
    by("stop").hidden = true;
    document.body.removeAttribute("aria-busy");
    for (const id of ["make", "redraw", "keep"]) by(id).disabled = false;
  }
}

const motionsOf = (what, path, body) => act(what, async signal => {
  const found = await (await ask(path, body, signal)).json();
  addClips(found.motions);
  return found.notes;
});

// ---- sentences ------------------------------------------------------------------------------------------------

function addSentence(focus = true) {
  const line = document.createElement("li"), first = !by("sentences").children.length;
  line.innerHTML = `<input type="text" maxlength="400" autocomplete="off"><input type="number" min="0.2" max="60" step="0.1"
    placeholder="auto" aria-label="Seconds" title="Seconds"><button type="button" aria-label="Remove this sentence">×</button>`;
  const [text, , remove] = line.children;
  text.placeholder = first ? "a person walks forward" : "then sits down";
  text.setAttribute("aria-label", first ? "What happens" : "What happens then");
  if (first) { text.id = "first"; remove.hidden = true; }
  remove.addEventListener("click", () => { line.remove(); by("sentences").lastElementChild.firstElementChild.focus(); });
  by("sentences").append(line);
  if (focus) text.focus();
}

const number = id => by(id).value === "" ? null : Number(by(id).value);

by("add").addEventListener("click", () => addSentence());
by("stop").addEventListener("click", () => asking?.abort());
by("ask").addEventListener("submit", event => {
  event.preventDefault();
  const parts = [...by("sentences").children].map(line => ({
    text: line.children[0].value.trim(), seconds: line.children[1].value === "" ? null : Number(line.children[1].value),
  })).filter((part, n) => part.text || !n);
  if (!parts[0].text) { say("type what happens first", true); by("first").focus(); return; }
  motionsOf("Making", "/page/make", { parts, samples: number("samples") || 1, candidates: number("candidates"), seed: number("seed") });
});
by("search").addEventListener("submit", event => {
  event.preventDefault();
  motionsOf("Searching", "/page/search", { text: by("query").value });
});
by("alike").addEventListener("click", () => motionsOf("Searching", "/page/search", { motion: clip().id }));

// ---- the motions side by side ---------------------------------------------------------------------------------

const MOST_SHOWN = 8;
function addClips(found) {
  leaveTools();
  clips.push(...found);
  while (clips.length > MOST_SHOWN) clips.shift();
  showClips();
  choose(clips.length - found.length);
  if (motions.length) { frame = 0; setPlaying(true); }
}

function showClips() {
  show(clips);
  by("empty").hidden = clips.length > 0;
  const list = by("clips");
  list.hidden = !clips.length;
  for (const old of list.querySelectorAll(".clip")) old.remove();
  clips.forEach((each, k) => {
    const line = document.createElement("div");
    line.className = "clip";
    line.innerHTML = `<label><input type="radio" name="clip"><span></span><small></small></label><button type="button">×</button>`;
    line.querySelector("span").textContent = each.title || "a motion";
    line.querySelector("small").textContent = [`${(each.frames / each.fps).toFixed(1)} s`,
      each.found ? each.found.score.toFixed(2) : each.seed === null ? "" : `seed ${each.seed}`].filter(Boolean).join(", ");
    line.querySelector("input").addEventListener("change", () => choose(k));
    const remove = line.querySelector("button");
    remove.setAttribute("aria-label", `Remove ${each.title}`);
    remove.addEventListener("click", () => { leaveTools(); clips.splice(k, 1); showClips(); choose(Math.min(k, clips.length - 1)); });
    list.append(line);
  });
}

function choose(k) {
  leaveTools();
  chosen = k;
  by("change").hidden = k < 0;
  if (k < 0) return drawBands();
  by("clips").querySelectorAll("input")[k].checked = true;
  for (const id of ["from", "to"]) by(id).max = clip().frames;
  const [third, end] = [Math.round(clip().frames / 3), Math.round(clip().frames * 2 / 3)];
  by("from").value = third; by("to").value = end;
  drawBands();
}

const share = n => `${100 * n / Math.max(longest - 1, 1)}%`;
function drawBands() {
  by("bands").replaceChildren();
  if (chosen < 0) return;
  const at = id => Number(by(id).value) / clip().fps;
  by("from-at").textContent = `${at("from").toFixed(2)} s`;
  by("to-at").textContent = `${at("to").toFixed(2)} s`;
  const band = (kind, start, end) => {
    const one = document.createElement("div");
    one.className = kind; one.style.left = share(start); one.style.width = share(Math.max(end - start, 0) - 0.5);
    by("bands").append(one);
  };
  for (const part of clip().spans) band("part", part.start, part.end);
  if (by("span").open) band("span", Number(by("from").value), Number(by("to").value));
}
for (const id of ["from", "to"]) by(id).addEventListener("input", () => {
  if (Number(by("from").value) > Number(by("to").value)) by(id === "from" ? "to" : "from").value = by(id).value;
  setPlaying(false); frame = Math.min(Number(by(id).value), longest - 1);
  drawBands();
});
by("span").addEventListener("toggle", drawBands);

function span(what) {
  motionsOf(what === "redraw" ? "Redrawing" : "Redrawing the rest", "/page/span", {
    motion: clip().id, start: Number(by("from").value), end: Number(by("to").value), what,
    text: by("instead").value, samples: number("samples") || 1, seed: number("seed"),
  });
}
by("redraw").addEventListener("click", () => span("redraw"));
by("keep").addEventListener("click", () => span("keep"));

// ---- downloads ------------------------------------------------------------------------------------------------

async function download(suffix) {
  const { id } = clip();
  await act(`Writing ${suffix}`, async signal => {
    const answer = await ask(`/page/motions/${id}.${suffix}`, null, signal);
    const link = document.createElement("a");
    link.download = /filename="(.*)"/.exec(answer.headers.get("Content-Disposition"))[1];
    link.href = URL.createObjectURL(await answer.blob());
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    return [`${link.download} is written`];
  });
}

// ---- a keyframe: hands, feet and hips are dragged, two bones of the limb follow -----------------------------------

const HANDLES = {
  "Left hand": [16, 18, 20], "Right hand": [17, 19, 21], "Left foot": [1, 4, 7, 10], "Right foot": [2, 5, 8, 11], Hips: [0],
};
let held = null, posed = null;

const minus = (a, b) => a.map((x, k) => x - b[k]);
const times = (a, s) => a.map(x => x * s);
const size = a => Math.hypot(...a);

function pose() {
  if (!posed) {
    setPlaying(false);
    const motion = motions[chosen], at = Math.min(Math.floor(frame), motion.frames - 1), n = 3 * motion.joint_count;
    posed = { motion, at, first: motion.metres.slice(at * n, at * n + n) };
  }
  frame = posed.at;
  by("apply-pose").disabled = by("undo-pose").disabled = false;
  return posed;
}
const readJoint = j => joint(posed.motion, posed.at, j);
const writeJoint = (j, p) => posed.motion.metres.set(p, (posed.at * posed.motion.joint_count + j) * 3);

// The middle and end joints of a limb towards a goal, bent as before.
function reach([start, middle, end, tip], goal) {
  const [a, b, c] = [start, middle, end].map(readJoint), first = size(minus(b, a)), second = size(minus(c, b));
  let way = minus(goal, a);
  const far = Math.min(Math.max(size(way), Math.abs(first - second) + 0.01), (first + second) * 0.999);
  way = times(way, 1 / Math.max(size(way), 1e-6));
  const bend = minus(b, a), aside = minus(bend, times(way, dot(bend, way)));
  const along = (first ** 2 + far ** 2 - second ** 2) / (2 * far), away = Math.sqrt(Math.max(first ** 2 - along ** 2, 0));
  const side = size(aside) > 1e-4 ? times(aside, 1 / size(aside)) : [0, 0, tip === undefined ? -1 : 1];
  writeJoint(middle, plus(plus(a, times(way, along)), times(side, away)));
  const found = plus(a, times(way, far));
  if (tip !== undefined) writeJoint(tip, plus(readJoint(tip), minus(found, c)));
  writeJoint(end, found);
}

function moveHandle(name, goal) {
  pose();
  const chain = HANDLES[name];
  goal = [goal[0], Math.max(goal[1], 0.02), goal[2]];
  if (chain.length > 1) return reach(chain, goal);
  // The hips go with all that hangs on them, and the feet stay where they are.
  const shift = minus(goal, readJoint(0)), feet = ["Left foot", "Right foot"].map(foot => [HANDLES[foot], readJoint(HANDLES[foot][2])]);
  for (let j = 0; j < posed.motion.joint_count; j++) writeJoint(j, plus(readJoint(j), shift));
  for (const [leg, place] of feet) reach(leg, place);
}

const handlePlace = (motion, name) => joint(motion, Math.floor(frame), HANDLES[name][Math.min(2, HANDLES[name].length - 1)]);

for (const name of Object.keys(HANDLES)) {
  const button = document.createElement("button");
  button.type = "button"; button.textContent = name; button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => holdHandle(held === name ? null : name));
  button.addEventListener("keydown", event => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault(); event.stopPropagation();
    holdHandle(name);
    lookAt(chosen);
    const step = plus(times(view.right, 0.03 * way[0]), [0, 0.03 * way[1], 0]);
    moveHandle(name, plus(handlePlace(motions[chosen], name), step));
  });
  by("handles").append(button);
}
function holdHandle(name) {
  held = name;
  if (name) setPlaying(false);
  for (const button of by("handles").children) button.setAttribute("aria-pressed", String(button.textContent === name));
}
function undoPose() {
  if (posed) posed.motion.metres.set(posed.first, posed.at * 3 * posed.motion.joint_count);
  posed = null;
  by("apply-pose").disabled = by("undo-pose").disabled = true;
}
by("undo-pose").addEventListener("click", undoPose);
by("apply-pose").addEventListener("click", () => {
  const joints = Array.from({ length: posed.motion.joint_count }, (_, j) => readJoint(j));
  const body = { motion: clip().id, frame: posed.at, joints, text: by("instead").value, seed: number("seed") };
  motionsOf("Moving through the pose", "/page/pose", body);
});

// ---- a path on the floor ----------------------------------------------------------------------------------------

let path = [], drawing = false;
const READY = {
  straight: Array.from({ length: 31 }, (_, n) => [0, n / 10]),
  left: Array.from({ length: 31 }, (_, n) => [2 - 2 * Math.cos(n * Math.PI / 60), 2 * Math.sin(n * Math.PI / 60)]),
  right: Array.from({ length: 31 }, (_, n) => [2 * Math.cos(n * Math.PI / 60) - 2, 2 * Math.sin(n * Math.PI / 60)]),
  slalom: Array.from({ length: 61 }, (_, n) => [0.6 * Math.sin(n * Math.PI / 15), n / 12]),
};
function setPath(points) {
  path = points;
  by("apply-path").disabled = path.length < 2;
  by("undo-path").disabled = !path.length;
}
by("draw-path").addEventListener("click", () => setDrawing(!drawing));
function setDrawing(value) {
  drawing = value;
  by("draw-path").setAttribute("aria-pressed", String(value));
  if (value) { setPlaying(false); frame = 0; camera.tilt = Math.max(camera.tilt, 0.7); camera.distance = Math.max(camera.distance, 6); }
}
by("ready").addEventListener("change", () => { if (by("ready").value) setPath(READY[by("ready").value]); by("ready").value = ""; });
by("undo-path").addEventListener("click", () => setPath([]));
by("apply-path").addEventListener("click", () => {
  const points = path;
  motionsOf("Going along the path", "/page/path", { motion: clip().id, points });
});

function leaveTools() {
  undoPose(); holdHandle(null); setPath([]); setDrawing(false);
}

// ---- what is drawn over the motions, and the pointer ---------------------------------------------------------------

function dotAt(p, radius, colour) {
  pen.beginPath(); pen.arc(p.x, p.y, radius, 0, 7); pen.fillStyle = colour; pen.fill();
  pen.lineWidth = radius / 4; pen.strokeStyle = "#fff"; pen.stroke();
}
overlays.push((motion, t, cell, k) => {
  if (k !== chosen) return;
  const ratio = window.devicePixelRatio || 1;
  if (motions.length > 1) {
    pen.strokeStyle = "#2b8a6e"; pen.lineWidth = 2 * ratio;
    pen.strokeRect(cell.x + ratio, cell.y + ratio, cell.width - 2 * ratio, cell.height - 2 * ratio);
  }
  if (by("path").open && path.length > 1) {
    const points = path.map(([x, z]) => project([x, 0.01, z])).filter(p => p.depth > 0.3);
    for (let n = 1; n < points.length; n++) line(points[n - 1], points[n], 4 * ratio, "#c8552b", 0.9);
    if (points.length) dotAt(points[0], 6 * ratio, "#c8552b");
  }
  if (by("pose").open && !playing) for (const name of Object.keys(HANDLES)) {
    dotAt(project(handlePlace(motion, name)), (held === name ? 9 : 6.5) * ratio, held === name ? "#c8552b" : "#2b8a6e");
  }
});

const pointAt = event => {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
};
const cellAt = p => cells.findIndex(({ cell: c }) => p.x >= c.x && p.x < c.x + c.width && p.y >= c.y && p.y < c.y + c.height);

let pulled = null, stroke = null, pressed = null;
tools.push({
  down(event) {
    const p = pointAt(event), k = cellAt(p);
    pressed = { ...p, k };
    if (k < 0 || k !== chosen) return false;
    lookAt(k);
    if (by("pose").open && !playing) {
      const ratio = window.devicePixelRatio || 1;
      const near = Object.keys(HANDLES).map(name => ({ name, at: project(handlePlace(motions[k], name)) }))
        .map(each => ({ ...each, far: Math.hypot(each.at.x - p.x, each.at.y - p.y) })).sort((a, b) => a.far - b.far)[0];
      if (near.far < 22 * ratio) { holdHandle(near.name); pulled = near; return true; }
    }
    if (by("path").open && drawing) {
      const place = onFloor(p);
      if (place) { stroke = [place]; setPath([]); }
      return Boolean(place);
    }
    return false;
  },
  move(event) {
    if (!pulled && !stroke) return false;
    const p = pointAt(event);
    lookAt(chosen);
    if (pulled) moveHandle(pulled.name, atDepth(p, pulled.at.depth));
    else {
      const place = onFloor(p), last = stroke[stroke.length - 1];
      if (place && Math.hypot(place[0] - last[0], place[1] - last[1]) > 0.05 && stroke.length < 2000) { stroke.push(place); setPath([...stroke]); }
    }
    return true;
  },
  up(event) {
    const p = pointAt(event);
    if (!pulled && !stroke && pressed && pressed.k >= 0 && pressed.k !== chosen && Math.hypot(p.x - pressed.x, p.y - pressed.y) < 6) choose(pressed.k);
    pulled = stroke = pressed = null;
  },
});

// ---- at the beginning -----------------------------------------------------------------------------------------

addSentence(false);
by("first").focus({ preventScroll: true });
(async () => {
  try { about = await (await ask("/page/about")).json(); } catch (error) { say(error.message, true); return; }
  by("model").textContent = about.model;
  by("candidates").placeholder = about.candidates;
  by("search").hidden = by("alike").hidden = about.library === null;
  for (const suffix of about.formats) {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = suffix; button.setAttribute("aria-label", `Download as ${suffix}`);
    button.addEventListener("click", () => download(suffix));
    by("downloads").append(button);
  }
})();
