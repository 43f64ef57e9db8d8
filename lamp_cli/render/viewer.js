// Motions in three dimensions on the canvas of a page that has a bar to play and scrub them with; the page's own
// program may show others, draw over them and take the pointer first.
const LARGEST = 32000;
const page = JSON.parse(document.getElementById("motions").textContent);
const canvas = document.getElementById("view"), pen = canvas.getContext("2d");
const bar = document.getElementById("bar");
const slider = document.getElementById("time"), play = document.getElementById("play");
const where = document.getElementById("where"), speed = document.getElementById("speed");

const bytesOf = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
// 16-bit numbers in base64, each a whole number of units.
function decode(text, unit) {
  const bytes = bytesOf(text);
  const numbers = new DataView(bytes.buffer), count = bytes.length / 2;
  const found = new Float32Array(count);
  for (let i = 0; i < count; i++) found[i] = numbers.getInt16(2 * i, true) * unit;
  return found;
}
const unpacked = m => ({ ...m, metres: decode(m.joints, m.unit), quaternions: decode(m.turns, 1 / LARGEST), skin: m.skin && unpackedSkin(m.skin) });
const unpackedSkin = ({ mesh, joints, rest, turns, places, units }) =>
  ({ mesh, joints, rest: decode(rest, units[0]), turns: decode(turns, 1 / LARGEST), places: decode(places, units[1]) });
let motions, longest;
function show(packed) {
  motions = packed.map(unpacked);
  longest = Math.max(1, ...motions.map(m => m.frames));
  slider.max = longest - 1;
}
show(page.motions);
// Called as (motion, frame, cell, number) after each motion is drawn.
const overlays = [];
// Each may take the pointer before it turns the camera: ``down`` and ``move`` say whether they do.
const tools = [];

const first = { turn: 0.6, tilt: 0.24, distance: 4.2 };
let camera = { ...first }, frame = 0, playing = longest > 1, before = null, dragged = null;
// Where each motion was drawn last: its cell, and the room in it below the title.
let cells = [];

function joint(motion, t, j) {
  const at = (Math.min(t, motion.frames - 1) * motion.joint_count + j) * 3;
  return [motion.metres[at], motion.metres[at + 1], motion.metres[at + 2]];
}

// A vector turned as a joint is against the T-pose; w comes first.
function turned(motion, t, j, v) {
  const at = (Math.min(t, motion.frames - 1) * motion.turned.length + motion.turned.indexOf(j)) * 4;
  const [w, x, y, z] = motion.quaternions.subarray(at, at + 4);
  const u = [2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])];
  return [v[0] + w * u[0] + y * u[2] - z * u[1], v[1] + w * u[1] + z * u[0] - x * u[2],
    v[2] + w * u[2] + x * u[1] - y * u[0]];
}
function place(motion, t, { joint: j, offset }) {
  const p = joint(motion, t, j);
  return offset.some(x => x) ? plus(p, turned(motion, t, j, offset)) : p;
}
const plus = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
// The axes of an ellipsoid, as long as its radii.
function axesOf(motion, t, part) {
  const c = Math.cos(part.yaw), s = Math.sin(part.yaw), [rx, ry, rz] = part.radii;
  return [[c * rx, 0, -s * rx], [0, ry, 0], [s * rz, 0, c * rz]]
    .map(axis => turned(motion, t, part.places[0].joint, axis));
}

// The camera looks at the mean place of the body, averaged over two seconds around now.
function target(motion, t) {
  const sum = [0, 0]; let count = 0;
  for (let d = -20; d <= 20; d += 5) {
    const p = joint(motion, Math.max(0, Math.min(t + d, motion.frames - 1)), 0);
    sum[0] += p[0]; sum[1] += p[2]; count++;
  }
  return [sum[0] / count, 0.85, sum[1] / count];
}

// Each motion has a cell of a grid to itself, of the number of columns that makes cells largest.
function layout(count, width, height) {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const size = Math.min(width / columns, height / Math.ceil(count / columns));
    if (size > best.size) best = { columns, size };
  }
  const rows = Math.ceil(count / best.columns);
  return Array.from({ length: count }, (_, k) => ({
    x: (k % best.columns) * width / best.columns, y: Math.floor(k / best.columns) * height / rows,
    width: width / best.columns, height: height / rows,
  }));
}

// The whole title in lines that fit the cell, in the largest letters of which two fifths of the cell hold all.
function titleLines(title, cell, ratio) {
  for (let size = Math.max(10 * ratio, Math.min(18 * ratio, cell.height / 14)); ; size -= ratio) {
    pen.font = `${size}px system-ui, sans-serif`;
    const lines = wrapped(title, 0.94 * cell.width);
    if (lines.length * 1.25 * size <= 0.4 * cell.height || size <= 7 * ratio) return { size, lines };
  }
}

function wrapped(title, most) {
  const fits = text => pen.measureText(text).width <= most;
  const lines = [""];
  for (let word of title.split(" ")) {
    while (!fits(word) && word.length > 1) {
      let end = word.length - 1;
      while (end > 1 && !fits(word.slice(0, end))) end--;
      lines.push(word.slice(0, end));
      word = word.slice(end);
    }
    const joined = `${lines[lines.length - 1]} ${word}`.trim();
    if (fits(joined)) lines[lines.length - 1] = joined; else lines.push(word);
  }
  return lines.filter(line => line);
}

let view;
function lookAt(k) { look(motions[k], Math.floor(frame), cells[k].room); }
function look(motion, t, room) {
  const c = Math.cos(camera.turn), s = Math.sin(camera.turn);
  const ct = Math.cos(camera.tilt), st = Math.sin(camera.tilt);
  view = { target: target(motion, t), right: [c, 0, -s], up: [-s * st, ct, -c * st], back: [s * ct, st, c * ct],
    focal: 1.6 * Math.min(room.width, room.height), x: room.x + room.width / 2, y: room.y + room.height / 2 };
}
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
function project(p) {
  const q = [p[0] - view.target[0], p[1] - view.target[1], p[2] - view.target[2]];
  const depth = camera.distance - dot(q, view.back);
  const scale = view.focal / Math.max(depth, 0.05);
  return { x: view.x + dot(q, view.right) * scale, y: view.y - dot(q, view.up) * scale, depth, scale };
}

// The place at a depth, or on the floor, that is seen at a point of the canvas.
function atDepth(p, depth) {
  const x = (p.x - view.x) / view.focal * depth, y = (view.y - p.y) / view.focal * depth, far = camera.distance - depth;
  return view.target.map((at, n) => at + view.back[n] * far + view.right[n] * x + view.up[n] * y);
}
function onFloor(p) {
  const fall = view.back[1] - view.up[1] * (view.y - p.y) / view.focal;
  const depth = (view.target[1] + view.back[1] * camera.distance) / fall;
  if (!(depth > 0.3 && depth < 40)) return null;
  const place = atDepth(p, depth);
  return [place[0], place[2]];
}

function drawFloor() {
  // Smaller cells show less of the floor.
  const reach = motions.length > 4 ? 5 : 9, size = 0.5;
  const cx = Math.round(view.target[0] / size), cz = Math.round(view.target[2] / size);
  for (let i = -reach / size; i < reach / size; i++) for (let k = -reach / size; k < reach / size; k++) {
    const x = (cx + i) * size, z = (cz + k) * size;
    const fade = 1.15 - Math.hypot(x - view.target[0], z - view.target[2]) / reach;
    if (fade <= 0.02) continue;
    const corners = [[x, 0, z], [x + size, 0, z], [x + size, 0, z + size], [x, 0, z + size]].map(project);
    if (corners.some(c => c.depth < 0.3)) continue;
    pen.globalAlpha = Math.min(1, fade);
    pen.fillStyle = (cx + i + cz + k) & 1 ? "#cad2db" : "#e4e7ee";
    pen.beginPath();
    corners.forEach((c, n) => n ? pen.lineTo(c.x, c.y) : pen.moveTo(c.x, c.y));
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function line(a, b, width, colour, alpha) {
  pen.globalAlpha = alpha; pen.strokeStyle = colour; pen.lineWidth = width; pen.lineCap = "round";
  pen.beginPath(); pen.moveTo(a.x, a.y); pen.lineTo(b.x, b.y); pen.stroke(); pen.globalAlpha = 1;
}

function drawTrail(motion, t) {
  const from = Math.max(0, t - 300);
  for (let n = from; n < Math.min(t, motion.frames - 1); n += 3) {
    const a = joint(motion, n, 0), b = joint(motion, Math.min(n + 3, t), 0);
    a[1] = b[1] = 0;
    const p = project(a);
    line(p, project(b), 0.02 * p.scale, "#2b8a6e", 0.3 + 0.7 * (n - from) / Math.max(t - from, 1));
  }
}

// A cone's own line; an ellipsoid's longest axis, as thick as the next.
const shadowRadius = ({ yaw, radii }) => yaw === undefined ? (radii[0] + radii[1]) / 2 : [...radii].sort((a, b) => a - b)[1];
function shadowLine(motion, t, part) {
  const ends = part.places.map(p => place(motion, t, p));
  if (part.yaw === undefined) return ends;
  const longest = Math.max(...part.radii), share = 1 - shadowRadius(part) / longest;
  const axis = axesOf(motion, t, part)[part.radii.indexOf(longest)];
  return [-share, share].map(f => plus(ends[0], axis.map(x => f * x)));
}

// All limbs on a sheet of their own, then the sheet once: where limbs overlap the shadow is no darker.
const sheet = document.createElement("canvas"), ink = sheet.getContext("2d");
function drawShadow(motion, t, cell) {
  sheet.width = Math.ceil(cell.width); sheet.height = Math.ceil(cell.height);
  ink.translate(-cell.x, -cell.y);
  ink.strokeStyle = "#1b2333"; ink.lineCap = "round";
  for (const part of motion.parts) if (part.shadow) {
    const [a, b] = shadowLine(motion, t, part).map(p => project([p[0] + 0.15 * p[1], 0, p[2] - 0.2 * p[1]]));
    if (a.depth < 0.3 || b.depth < 0.3) continue;
    ink.lineWidth = 2 * shadowRadius(part) * a.scale;
    ink.beginPath(); ink.moveTo(a.x, a.y); ink.lineTo(b.x, b.y); ink.stroke();
  }
  pen.globalAlpha = 0.28;
  pen.filter = `blur(${Math.max(2, 0.03 * view.focal / camera.distance)}px)`;
  pen.drawImage(sheet, cell.x, cell.y);
  pen.filter = "none"; pen.globalAlpha = 1;
}

function shaded(colour, light) {
  return `rgb(${colour.map(c => Math.round(Math.min(255, c * light))).join(",")})`;
}

// Light comes from above on the left of the page.
const LIGHT = [-0.5, -0.85];
function glow(gradient, colour) {
  for (const [at, light] of [[0, 1.2], [0.4, 1.02], [0.75, 0.82], [1, 0.58]]) gradient.addColorStop(at, shaded(colour, light));
  return gradient;
}

function drawCone(a, b, [ra, rb], colour) {
  const length = Math.hypot(b.x - a.x, b.y - a.y), angle = Math.atan2(b.y - a.y, b.x - a.x);
  [ra, rb] = [ra * a.scale, rb * b.scale];
  // Brightest on the side of the light.
  let across = [-Math.sin(angle), Math.cos(angle)];
  if (across[0] * LIGHT[0] + across[1] * LIGHT[1] < 0) across = across.map(x => -x);
  const r = Math.max(ra, rb), lit = 0.75;
  pen.fillStyle = glow(pen.createLinearGradient(a.x + across[0] * r * lit, a.y + across[1] * r * lit,
    a.x - across[0] * r, a.y - across[1] * r), colour);
  pen.beginPath();
  if (length <= Math.abs(ra - rb)) {
    const [p, radius] = ra > rb ? [a, ra] : [b, rb];
    pen.arc(p.x, p.y, radius, 0, 7);
  } else {
    const lean = Math.acos((ra - rb) / length);
    pen.arc(a.x, a.y, ra, angle + lean, angle - lean + 2 * Math.PI);
    pen.arc(b.x, b.y, rb, angle - lean, angle + lean);
  }
  pen.fill();
}

// Of an ellipsoid with these axes one sees an ellipse: its axes are those of the sum of the projected axes' squares.
function drawEllipsoid(p, axes, colour) {
  let xx = 0, xy = 0, yy = 0;
  for (const axis of axes) {
    const x = dot(axis, view.right) * p.scale, y = -dot(axis, view.up) * p.scale;
    xx += x * x; xy += x * y; yy += y * y;
  }
  const mean = (xx + yy) / 2, apart = Math.hypot((xx - yy) / 2, xy), angle = Math.atan2(2 * xy, xx - yy) / 2;
  const c = Math.cos(angle), s = Math.sin(angle);
  pen.save();
  pen.translate(p.x, p.y); pen.rotate(angle); pen.scale(Math.sqrt(mean + apart), Math.sqrt(Math.max(mean - apart, 0.01)));
  const x = 0.45 * (c * LIGHT[0] + s * LIGHT[1]), y = 0.45 * (c * LIGHT[1] - s * LIGHT[0]);
  pen.fillStyle = glow(pen.createRadialGradient(x, y, 0, 0, 0, 1.08), colour);
  pen.beginPath(); pen.arc(0, 0, 1, 0, 7); pen.fill();
  pen.restore();
}

function drawBody(motion, t) {
  const shown = motion.parts.map(part => {
    const [a, b] = part.places.map(p => project(place(motion, t, p)));
    // What is drawn last seems in front: a sole lies under its foot.
    const under = part.under ? project(plus(place(motion, t, part.places[0]), turned(motion, t, part.places[0].joint, [0, -0.15, 0]))) : a;
    return { part, a, b, depth: under.depth + b.depth };
  }).filter(({ a, b }) => a.depth > 0.2 && b.depth > 0.2);
  shown.sort((p, q) => q.depth - p.depth);
  for (const { part, a, b } of shown) {
    if (part.yaw === undefined) drawCone(a, b, part.radii, part.colour);
    else drawEllipsoid(a, axesOf(motion, t, part), part.colour);
  }
}

// ---- bodies of triangles: a canvas of WebGL draws them, and is laid over the cell ------------------------------

const MESH = { vertex: `
attribute vec3 place, normal, colour;
uniform mat3 axes; uniform vec3 target; uniform vec2 focal, middle; uniform float distance;
varying vec3 seen, tone;
void main() {
  vec3 q = axes * (place - target);
  float depth = distance - q.z;
  gl_Position = vec4(focal * q.xy + middle * depth, (depth - 0.2) * 1.002 - 0.2, depth);
  seen = axes * normal; tone = colour;
}`, fragment: `
precision mediump float;
varying vec3 seen, tone;
void main() {
  float light = dot(normalize(seen), normalize(vec3(-0.5, 0.85, 0.55)));
  gl_FragColor = vec4(min(tone * (0.86 + 0.34 * light), 1.0), 1.0);
}` };
let painter;
function meshPainter() {
  if (painter !== undefined) return painter;
  const glass = document.createElement("canvas"), gl = glass.getContext("webgl", { alpha: true, antialias: true });
  if (!gl) return painter = null;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, MESH.vertex], [gl.FRAGMENT_SHADER, MESH.fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  gl.linkProgram(program); gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST); gl.enable(gl.CULL_FACE);
  const meshes = page.meshes.map(mesh => {
    const [faces, colours] = [gl.createBuffer(), gl.createBuffer()], bytes = bytesOf(mesh.faces);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faces); gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, colours); gl.bufferData(gl.ARRAY_BUFFER, bytesOf(mesh.colours), gl.STATIC_DRAW);
    return { faces, colours, corners: new Uint16Array(bytes.buffer), carriers: bytesOf(mesh.carriers), shares: bytesOf(mesh.shares) };
  });
  return painter = { glass, gl, program, meshes, places: gl.createBuffer(), normals: gl.createBuffer() };
}

// Every vertex where its joints take it: their turns as matrices of three rows, and where they take the origin.
function skinned({ rest, joints, turns, places }, { carriers, shares }, t) {
  const count = joints.length / 3, rows = new Float32Array(12 * count), found = new Float32Array(rest.length);
  for (let j = 0; j < count; j++) {
    const [w, x, y, z] = turns.subarray(4 * (t * count + j), 4 * (t * count + j) + 4), at = 12 * j;
    rows.set([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), 0, 2 * (x * y + z * w), 1 - 2 * (x * x + z * z),
      2 * (y * z - x * w), 0, 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), 0], at);
    for (let k = 0; k < 3; k++) rows[at + 4 * k + 3] = places[3 * (t * count + j) + k]
      - rows[at + 4 * k] * joints[3 * j] - rows[at + 4 * k + 1] * joints[3 * j + 1] - rows[at + 4 * k + 2] * joints[3 * j + 2];
  }
  for (let v = 0; v < rest.length / 3; v++) {
    const [x, y, z] = [rest[3 * v], rest[3 * v + 1], rest[3 * v + 2]];
    let sum = 0;
    for (let n = 4 * v; n < 4 * v + 4; n++) if (shares[n]) {
      const at = 12 * carriers[n], share = shares[n];
      sum += share;
      for (let k = 0; k < 3; k++) found[3 * v + k] += share * (rows[at + 4 * k] * x + rows[at + 4 * k + 1] * y + rows[at + 4 * k + 2] * z + rows[at + 4 * k + 3]);
    }
    for (let k = 0; k < 3; k++) found[3 * v + k] /= sum;
  }
  return found;
}

// Sums of the triangles' normals, large ones counting more.
function normalsOf(p, corners) {
  const found = new Float32Array(p.length);
  for (let n = 0; n < corners.length; n += 3) {
    const [a, b, c] = [3 * corners[n], 3 * corners[n + 1], 3 * corners[n + 2]];
    const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
    const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const at of [a, b, c]) { found[at] += x; found[at + 1] += y; found[at + 2] += z; }
  }
  return found;
}

function drawMesh(motion, t, cell) {
  const { glass, gl, program, meshes, places, normals } = meshPainter(), mesh = meshes[motion.skin.mesh];
  const width = Math.ceil(cell.width), height = Math.ceil(cell.height);
  if (glass.width !== width || glass.height !== height) { glass.width = width; glass.height = height; }
  gl.viewport(0, 0, width, height); gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  const vertices = skinned(motion.skin, mesh, Math.min(t, motion.frames - 1));
  const give = (name, buffer, data, kind, scaled) => {
    const at = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    if (data) gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(at); gl.vertexAttribPointer(at, 3, kind, scaled, 0, 0);
  };
  give("place", places, vertices, gl.FLOAT, false);
  give("normal", normals, normalsOf(vertices, mesh.corners), gl.FLOAT, false);
  give("colour", mesh.colours, null, gl.UNSIGNED_BYTE, true);
  const set = name => gl.getUniformLocation(program, name), { right, up, back } = view;
  gl.uniformMatrix3fv(set("axes"), false, [0, 1, 2].flatMap(k => [right[k], up[k], back[k]]));
  gl.uniform3fv(set("target"), view.target); gl.uniform1f(set("distance"), camera.distance);
  gl.uniform2f(set("focal"), 2 * view.focal / width, 2 * view.focal / height);
  gl.uniform2f(set("middle"), 2 * (view.x - cell.x) / width - 1, 1 - 2 * (view.y - cell.y) / height);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, mesh.faces);
  gl.drawElements(gl.TRIANGLES, mesh.corners.length, gl.UNSIGNED_SHORT, 0);
  pen.drawImage(glass, cell.x, cell.y);
}

function drawTitle({ size, lines }, cell) {
  pen.font = `${size}px system-ui, sans-serif`; pen.textAlign = "center"; pen.fillStyle = "#282c34";
  lines.forEach((text, n) => pen.fillText(text, cell.x + cell.width / 2, cell.y + size * (1.3 + 1.25 * n)));
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const t = Math.floor(frame);
  pen.fillStyle = "#f3f5f8"; pen.fillRect(0, 0, width, height);
  cells = [];
  layout(motions.length, width, Math.max(height - bar.offsetHeight * ratio, 1)).forEach((cell, k) => {
    const motion = motions[k];
    pen.save();
    pen.beginPath(); pen.rect(cell.x, cell.y, cell.width, cell.height); pen.clip();
    const title = titleLines(motion.title, cell, ratio), top = title.size * (0.6 + 1.25 * title.lines.length);
    cells.push({ cell, room: { ...cell, y: cell.y + top, height: cell.height - top } });
    lookAt(k);
    drawFloor();
    drawTrail(motion, t);
    drawShadow(motion, t, cell);
    if (motion.skin && meshPainter()) drawMesh(motion, t, cell); else drawBody(motion, t);
    drawTitle(title, cell);
    for (const overlay of overlays) overlay(motion, t, cell, k);
    pen.restore();
  });
  slider.value = t;
  where.textContent = `${(t / page.fps).toFixed(2)} / ${((longest - 1) / page.fps).toFixed(2)} s`;
}

function step(now) {
  if (playing && before !== null) {
    frame += (now - before) / 1000 * page.fps * Number(speed.value);
    if (frame >= longest) frame = 0;
  }
  before = now;
  draw();
  requestAnimationFrame(step);
}

function setPlaying(value) { playing = value; play.textContent = value ? "Pause" : "Play"; }
play.addEventListener("click", () => setPlaying(!playing));
slider.addEventListener("input", () => { setPlaying(false); frame = Number(slider.value); });
document.getElementById("home").addEventListener("click", () => { camera = { ...first }; });
canvas.addEventListener("pointerdown", e => {
  canvas.setPointerCapture(e.pointerId);
  if (!tools.some(tool => tool.down(e))) dragged = [e.clientX, e.clientY];
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, e => {
  dragged = null;
  for (const tool of tools) tool.up(e);
});
canvas.addEventListener("pointermove", e => {
  if (tools.some(tool => tool.move(e))) return;
  if (!dragged) return;
  camera.turn -= (e.clientX - dragged[0]) * 0.008;
  camera.tilt = Math.max(-0.05, Math.min(1.5, camera.tilt + (e.clientY - dragged[1]) * 0.006));
  dragged = [e.clientX, e.clientY];
});
canvas.addEventListener("wheel", e => {
  e.preventDefault();
  camera.distance = Math.max(1.2, Math.min(40, camera.distance * Math.exp(e.deltaY * 0.001)));
}, { passive: false });
window.addEventListener("keydown", e => {
  // What is typed into a field, or presses a button, is not for the motions.
  if (e.target.closest?.("input, select, button, summary, a")) return;
  if (e.key === " ") { e.preventDefault(); setPlaying(!playing); }
  if (e.key === "ArrowRight") { setPlaying(false); frame = Math.min(longest - 1, Math.floor(frame) + 1); }
  if (e.key === "ArrowLeft") { setPlaying(false); frame = Math.max(0, Math.floor(frame) - 1); }
});
setPlaying(playing);
requestAnimationFrame(step);
