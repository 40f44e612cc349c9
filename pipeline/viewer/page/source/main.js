// A page that shows a store: it asks the scene, draws the map, and follows a run that is at work.

import { coordinates, number } from "./format.js";
import { createMap, drawLines, mark } from "./map.js";
import * as panel from "./panel.js";
import { ask } from "./server.js";
import { fromHash, initial, toHash } from "./state.js";

const { byId } = panel;
const POLL_MS = 2000;
let scene;
let state;
let stage;

function report(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

const layerOf = (name) => scene.layers.find((layer) => layer.name === name);

function drawTiles() {
  const layer = layerOf(state.layer);
  stage.layer.setOpacity(state.opacity);
  if (layer) {
    const query = { v: scene.progress.version };
    if (layer.channels.length) query.channel = state.channel;
    if (layer.kind === "classes" && state.hidden.length) query.hide = state.hidden.join(",");
    stage.show(stage.layer, layer.name, query);
  } else stage.layer.setVisible(false);
  stage.image.setOpacity(state.imageOpacity);
  if (scene.image.bands.length && state.image) {
    const { version, complete } = scene.progress;
    stage.show(stage.image, "image", { v: complete ? version.split("-")[0] : version, bands: state.bands.join(",") });
  } else stage.image.setVisible(false);
}

async function drawRamp(layer) {
  byId("ramp-row").hidden = layer?.kind !== "numbers";
  if (layer?.kind !== "numbers") return;
  const { low, high } = await ask("limits", { layer: layer.name, channel: state.channel });
  byId("low").textContent = number(low, 4);
  byId("high").textContent = number(high, 4);
}

// Controls as the state has them.
function drawControls() {
  const layer = layerOf(state.layer);
  for (const input of document.querySelectorAll("#layers input")) input.checked = input.value === state.layer;
  byId("channel-row").hidden = !layer?.channels.length;
  byId("channel").replaceChildren(
    ...(layer?.channels ?? []).map((textContent, value) => panel.element("option", { value, textContent })),
  );
  byId("channel").value = state.channel;
  byId("layer-opacity").value = state.opacity;
  byId("image").checked = state.image;
  byId("image-opacity").value = state.imageOpacity;
  byId("mode").value = state.bands.length;
  byId("band-name-0").textContent = state.bands.length === 3 ? "Red" : "Band";
  for (const row of document.querySelectorAll(".of-colours")) row.hidden = state.bands.length !== 3;
  state.bands.forEach((band, i) => (byId(`band-${i}`).value = band));
  for (const input of document.querySelectorAll("#classes input")) input.checked = !state.hidden.includes(Number(input.value));
  for (const input of document.querySelectorAll("#lines input")) input.checked = state.lines.includes(input.id);
  drawRamp(layer).catch((error) => report(error.message));
}

async function redrawLines() {
  try {
    byId("lines-note").textContent = await drawLines(stage, scene, state.lines);
  } catch (error) {
    byId("lines-note").textContent = error.message;
  }
}

function keep() {
  history.replaceState(null, "", toHash(state));
}

function change(part) {
  Object.assign(state, part);
  report("");
  drawTiles();
  drawControls();
  if ("lines" in part) redrawLines();
  keep();
}

function goTo({ row, col, height = 1, width = 1 }) {
  const size = stage.map.getSize();
  const resolution = Math.max(height / size[1], width / size[0], 1 / 4) * 1.5;
  stage.view.setCenter([col + width / 2, -row - height / 2]);
  stage.view.setResolution(Math.max(resolution, 1 / 4));
}

async function readPixel(row, col) {
  if (row < 0 || col < 0 || row >= scene.height || col >= scene.width) return;
  mark(stage, { row, col });
  try {
    panel.showPixel(scene, await ask("at", { row, col }));
  } catch (error) {
    report(error.message);
  }
}

function place(view) {
  view.setCenter([state.col, -state.row]);
  if (state.resolution) view.setResolution(state.resolution);
  else view.fit(stage.extent, { padding: [20, 20, 20, 20] });
}

function watchMap() {
  stage.map.on("moveend", () => {
    const [x, y] = stage.view.getCenter();
    Object.assign(state, { row: -y, col: x, resolution: stage.view.getResolution() });
    panel.showScale(scene, state.resolution);
    keep();
    redrawLines();
  });
  stage.map.on("singleclick", ({ coordinate: [x, y] }) => readPixel(Math.floor(-y), Math.floor(x)));
  stage.map.on("pointermove", ({ coordinate: [x, y] }) => {
    const text = scene.unit === "px" ? [Math.floor(-y), Math.floor(x)] : coordinates(scene, x, -y);
    byId("pointer").textContent = text.join(", ");
  });
  byId("map").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const [x, y] = stage.view.getCenter();
    readPixel(Math.floor(-y), Math.floor(x));
  });
}

function watchControls() {
  const on = (id, event, act) => byId(id).addEventListener(event, () => act(byId(id)));
  on("channel", "change", ({ value }) => change({ channel: Number(value) }));
  on("layer-opacity", "input", ({ value }) => change({ opacity: Number(value) }));
  on("image", "change", ({ checked }) => change({ image: checked }));
  on("image-opacity", "input", ({ value }) => change({ imageOpacity: Number(value) }));
  on("mode", "change", ({ value }) => {
    const { bands, shown } = scene.image;
    const colours = shown.length === 3 ? shown : [0, 1, 2].map((band) => Math.min(band, bands.length - 1));
    change({ bands: value === "1" ? [state.bands[0]] : colours });
  });
  on("all", "click", () => change({ hidden: [] }));
  on("none", "click", () => change({ hidden: scene.classes.map((row) => row.code) }));
  for (const input of document.querySelectorAll("#lines input")) {
    input.addEventListener("change", () => {
      const others = state.lines.filter((name) => name !== input.id);
      change({ lines: input.checked ? [...others, input.id] : others });
    });
  }
  byId("go").addEventListener("submit", (event) => {
    event.preventDefault();
    const [row, col] = byId("place").value.split(",").map((text) => Number.parseInt(text, 10));
    if (!Number.isFinite(row) || !Number.isFinite(col)) return report("Give a row and a column, such as 120, 480.");
    report("");
    goTo({ row, col });
    readPixel(row, col);
  });
  window.addEventListener("hashchange", () => {
    state = fromHash(location.hash, scene, state);
    place(stage.view);
    drawTiles();
    drawControls();
    redrawLines();
  });
}

function fillPanel() {
  document.title = `${scene.name} – Wholecloth`;
  byId("name").textContent = scene.name;
  panel.fillLayers(scene, (layer) => change({ layer, channel: 0 }));
  panel.fillClasses(scene, (code, shown) => {
    const others = state.hidden.filter((each) => each !== code);
    change({ hidden: shown ? others : [...others, code] });
  });
  panel.fillPlaces(scene, (where) => {
    goTo(where);
    mark(stage, where);
  });
  panel.fillFacts(scene);
  panel.showProgress(scene.progress);
}

async function countAreas() {
  const answer = await ask("areas");
  panel.fillAreas(answer);
  if (answer.state === "counting") setTimeout(countAreas, POLL_MS);
}

// While the run goes on: what is new is drawn, and once it is done the scene is asked anew.
async function follow() {
  try {
    const progress = await ask("progress");
    panel.showProgress(progress);
    if (progress.version !== scene.progress.version) {
      scene.progress = progress;
      if (progress.complete) {
        const wasFirst = state.layer === scene.layers[0]?.name;
        scene = await ask("scene");
        if (wasFirst) state.layer = scene.layers[0].name;
        fillPanel();
        drawControls();
        await countAreas();
      }
      drawTiles();
      redrawLines();
    }
  } catch {
    panel.showProgress(scene.progress, true);
  }
  if (!scene.progress.complete) setTimeout(follow, POLL_MS);
}

async function begin() {
  scene = await ask("scene");
  stage = createMap(scene, byId("map"), report);
  state = fromHash(location.hash, scene, initial(scene));
  panel.fillBands(scene, () => {
    change({ bands: state.bands.map((_, i) => Number(byId(`band-${i}`).value)) });
  });
  fillPanel();
  place(stage.view);
  watchMap();
  watchControls();
  drawTiles();
  drawControls();
  await countAreas();
  if (!scene.progress.complete) setTimeout(follow, POLL_MS);
}

begin().catch((error) => report(error.message));
