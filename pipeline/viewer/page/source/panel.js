// The panel beside the map. Whatever a store says enters the page as text, never as markup.

import { area, coordinates, length, number, round, share } from "./format.js";

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function listFacts(target, rows) {
  target.replaceChildren(
    ...rows.flatMap(([name, text]) => [element("dt", { textContent: name }), element("dd", { textContent: text })]),
  );
}

export function fillLayers(scene, choose) {
  const names = [...scene.layers.map((layer) => layer.name), "none"];
  const legend = byId("layers").querySelector("legend");
  byId("layers").replaceChildren(
    legend,
    ...names.map((name) => {
      const input = element("input", { type: "radio", name: "layer", value: name });
      input.addEventListener("change", () => choose(name));
      return element("label", {}, input, ` ${name}`);
    }),
  );
}

export function fillClasses(scene, toggle) {
  byId("class-section").hidden = !scene.classes.length;
  byId("outlines-row").hidden = !scene.classes.length;
  byId("classes").replaceChildren(
    ...scene.classes.map((row) => {
      const input = element("input", { type: "checkbox", value: row.code, checked: true });
      input.addEventListener("change", () => toggle(row.code, input.checked));
      const swatch = element("span", { className: "swatch" });
      swatch.style.backgroundColor = row.color;
      const name = element("span", { className: "name", textContent: row.name });
      const size = element("span", { className: "area" });
      size.dataset.code = row.code;
      return element("li", {}, element("label", {}, input, swatch, name), size);
    }),
  );
}

export function fillAreas(answer) {
  const notes = {
    none: "",
    unfinished: "Areas are counted once the run is done.",
    counting: "Areas are being counted …",
    failed: `Areas cannot be counted: ${answer.why}`,
    done: "",
  };
  byId("areas").textContent = notes[answer.state];
  for (const row of answer.rows ?? []) {
    const cell = document.querySelector(`#classes [data-code="${row.code}"]`);
    if (cell) cell.textContent = `${area(row.area, row.unit)}, ${share(row.share ?? 0)}`;
  }
}

export function fillBands(scene, choose) {
  const { bands, why } = scene.image;
  byId("image-controls").hidden = !bands.length;
  byId("image-note").textContent = why;
  byId("mode").disabled = bands.length < 2;
  for (const select of document.querySelectorAll(".band")) {
    select.replaceChildren(...bands.map((name, value) => element("option", { value, textContent: name })));
    select.addEventListener("change", choose);
  }
}

export function fillPlaces(scene, go) {
  const { certificate, places } = scene;
  byId("certificate").textContent = certificate
    ? `${certificate.passed ? "Passed" : "Failed"}: ${certificate.why}.`
    : "The store has no certificate; `wholecloth verify` makes one.";
  byId("places").replaceChildren(
    ...places.map((place) => {
      const button = element("button", { type: "button", textContent: `Row ${place.row}, column ${place.col}: ${place.why}` });
      button.addEventListener("click", () => go(place));
      return element("li", {}, button);
    }),
  );
}

export function fillFacts(scene) {
  const { size, unit } = scene.pixel;
  listFacts(byId("facts"), [
    ["Size", `${scene.height.toLocaleString("en")} × ${scene.width.toLocaleString("en")} px`],
    ["Coordinates", scene.crs ?? (scene.unit === "µm" ? "micrometres" : "pixels")],
    ["Pixel", unit === "px" ? "of unknown size" : `${number(size, 4)} ${unit}`],
    ["Blocks", `of ${scene.block.toLocaleString("en")} px`],
  ]);
}

export function showPixel(scene, pixel) {
  const rows = [["Row, column", `${pixel.row}, ${pixel.col}`]];
  if (scene.unit !== "px") rows.push(["x, y", coordinates(scene, pixel.col + 0.5, pixel.row + 0.5).join(", ")]);
  if (pixel.lon !== undefined) rows.push(["Longitude, latitude", `${pixel.lon.toFixed(6)}, ${pixel.lat.toFixed(6)}`]);
  for (const layer of pixel.layers) {
    if (layer.kind === "classes") rows.push([layer.name, layer.class === null ? "no class" : `${layer.class} (${layer.code})`]);
    if (layer.kind === "instances") rows.push([layer.name, layer.id === null ? "no object" : `object ${layer.id}`]);
    for (const row of layer.numbers ?? []) {
      const name = row.name === layer.name ? row.name : `${layer.name}, ${row.name}`;
      rows.push([name, row.number === null ? "no number" : number(row.number, 4)]);
    }
  }
  for (const band of pixel.bands) rows.push([band.name, number(band.number)]);
  const list = element("dl");
  listFacts(list, rows);
  byId("pixel").replaceChildren(list);
}

export function showProgress(progress, ended = false) {
  const { committed, blocks, complete } = progress;
  const counted = `${committed.toLocaleString("en")} of ${blocks.toLocaleString("en")} blocks`;
  byId("progress").textContent = ended ? "The server has ended." : complete ? "Complete" : `The run is at ${counted}`;
}

export function showScale(scene, resolution) {
  const perPixel = scene.pixel.size * resolution;
  const ground = round(120 * perPixel);
  byId("bar").style.width = `${ground / perPixel}px`;
  byId("length").textContent = length(ground, scene.pixel.unit);
}
