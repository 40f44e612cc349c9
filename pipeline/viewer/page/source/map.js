// The map: the raster's own pixels as coordinates, x to the right and y upwards from the upper left corner.

import Feature from "ol/Feature.js";
import OlMap from "ol/Map.js";
import View from "ol/View.js";
import { defaults as controls } from "ol/control/defaults.js";
import { LineString, MultiLineString, Polygon } from "ol/geom.js";
import TileLayer from "ol/layer/Tile.js";
import VectorLayer from "ol/layer/Vector.js";
import Projection from "ol/proj/Projection.js";
import TileImage from "ol/source/TileImage.js";
import VectorSource from "ol/source/Vector.js";
import { Stroke, Style } from "ol/style.js";
import TileGrid from "ol/tilegrid/TileGrid.js";
import { ask, reasonOf, tileUrl } from "./server.js";

const FINEST = 1 / 32; // pixels of the raster in a pixel of the screen
const MAX_LINES = 400;
const line = (color, width) => [
  new Style({ stroke: new Stroke({ color: "rgba(255, 255, 255, 0.85)", width: width + 2 }) }),
  new Style({ stroke: new Stroke({ color, width }) }),
];
// from the lowest to the highest
const STYLES = { outlines: line("#1c2126", 1), blocks: line("#1c2126", 2), seams: line("#b3005e", 2), mark: line("#b3005e", 2) };

export function createMap(scene, target, report) {
  const extent = [0, -scene.height, scene.width, 0];
  const projection = new Projection({ code: "pixels", units: "pixels", extent });
  const resolutions = Array.from({ length: scene.levels }, (_, z) => 2 ** (scene.levels - 1 - z));
  const tileGrid = new TileGrid({ extent, origin: [0, 0], resolutions, tileSize: scene.tile });
  const margin = Math.max(scene.height, scene.width) / 2;
  const view = new View({
    projection,
    extent: [-margin, -scene.height - margin, scene.width + margin, margin],
    constrainOnlyCenter: true,
    minResolution: FINEST,
    maxResolution: 2 * resolutions[0] * Math.max(1, 512 / Math.min(target.clientWidth || 512, 512)),
    enableRotation: false,
  });
  const tiles = (className) => {
    const source = new TileImage({ projection, tileGrid, interpolate: false, transition: 0, wrapX: false });
    source.on("tileloaderror", async (event) => {
      const reason = await reasonOf(event.tile.src_);
      if (reason) report(reason);
    });
    return new TileLayer({ source, className, visible: false });
  };
  const drawn = Object.fromEntries(
    Object.entries(STYLES).map(([name, style]) => [name, new VectorLayer({ source: new VectorSource(), style })]),
  );
  const image = tiles("ol-layer image");
  const layer = tiles("ol-layer classes");
  const map = new OlMap({
    target,
    view,
    layers: [image, layer, ...Object.values(drawn)],
    controls: controls({ attribution: false, rotate: false }),
    keyboardEventTarget: target,
  });
  const show = (tileLayer, name, query) => {
    const url = ([z, x, y]) => tileUrl(name, scene.levels - 1 - z, y, x, query);
    tileLayer.getSource().setTileUrlFunction(url, `${name}?${new URLSearchParams(query)}`);
    tileLayer.setVisible(true);
  };
  return { map, view, image, layer, drawn, extent, show };
}

// The part of the raster that is seen, in whole pixels.
export function seenWindow(scene, map) {
  const [left, bottom, right, top] = map.getView().calculateExtent(map.getSize());
  const row = Math.max(Math.floor(-top), 0);
  const col = Math.max(Math.floor(left), 0);
  const height = Math.max(Math.min(Math.ceil(-bottom), scene.height) - row, 0);
  const width = Math.max(Math.min(Math.ceil(right), scene.width) - col, 0);
  return { row, col, height, width };
}

function put(layer, geometries) {
  layer.getSource().clear();
  layer.getSource().addFeatures(geometries.map((geometry) => new Feature(geometry)));
}

export function mark(stage, { row, col, height = 1, width = 1 }) {
  const corners = [[col, -row], [col + width, -row], [col + width, -row - height], [col, -row - height]];
  put(stage.drawn.mark, [new Polygon([[...corners, corners[0]]])]);
}

function drawBlocks(stage, scene, seen) {
  const steps = (start, size, length) => {
    const first = Math.ceil(start / scene.block);
    const count = Math.floor(Math.min(start + size, length) / scene.block) - first + 1;
    return Array.from({ length: Math.max(count, 0) }, (_, i) => (first + i) * scene.block);
  };
  const rows = steps(seen.row, seen.height, scene.height);
  const cols = steps(seen.col, seen.width, scene.width);
  const many = rows.length + cols.length > MAX_LINES;
  const lines = [
    ...rows.map((row) => [[0, -row], [scene.width, -row]]),
    ...cols.map((col) => [[col, 0], [col, -scene.height]]),
  ];
  put(stage.drawn.blocks, many ? [] : lines.map((ends) => new LineString(ends)));
  return many ? "Too many blocks: zoom in to see them." : "";
}

async function drawSeams(stage, seen) {
  const { rows, cols, why } = await ask("seams", seen);
  put(stage.drawn.seams, [
    new MultiLineString(rows.map(([row, from, to]) => [[from, -row], [to, -row]])),
    new MultiLineString(cols.map(([col, from, to]) => [[col, -from], [col, -to]])),
  ]);
  return why ?? "";
}

async function drawOutlines(stage, seen) {
  const { objects = [], why } = await ask("outlines", seen);
  put(stage.drawn.outlines, objects.map(({ rings }) => new Polygon(rings.map((ring) => ring.map(([col, row]) => [col, -row])))));
  return why ?? "";
}

// Draw the lines that are asked for; the notes of those that cannot be drawn.
export async function drawLines(stage, scene, names) {
  const seen = seenWindow(scene, stage.map);
  for (const [name, layer] of Object.entries(stage.drawn)) if (name !== "mark") layer.setVisible(names.includes(name));
  const notes = [];
  if (names.includes("blocks")) notes.push(drawBlocks(stage, scene, seen));
  if (names.includes("seams")) notes.push(await drawSeams(stage, seen));
  if (names.includes("outlines")) notes.push(await drawOutlines(stage, seen));
  return notes.filter(Boolean).join(" ");
}
