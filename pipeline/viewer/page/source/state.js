// What a page shows, and the same in the part of its address that no server gets.

const LINES = ["blocks", "seams", "outlines"];

export function initial(scene) {
  return {
    row: scene.height / 2,
    col: scene.width / 2,
    resolution: null,
    layer: scene.layers.length ? scene.layers[0].name : "none",
    channel: 0,
    opacity: scene.image.bands.length ? 0.7 : 1,
    image: true,
    imageOpacity: 1,
    bands: scene.image.shown,
    hidden: [],
    lines: [],
  };
}

export function toHash(state) {
  const values = {
    at: `${state.row.toFixed(1)},${state.col.toFixed(1)}`,
    scale: Number(state.resolution.toPrecision(6)),
    layer: state.layer,
    channel: state.channel,
    opacity: state.opacity,
    image: state.image ? state.imageOpacity : "off",
    bands: state.bands.join(","),
    hide: state.hidden.join(","),
    lines: state.lines.join(","),
  };
  return `#${new URLSearchParams(values)}`;
}

// A state by an address; what it does not say, or says wrongly, stays as it is.
export function fromHash(hash, scene, state) {
  const values = new URLSearchParams(hash.slice(1));
  const next = { ...state };
  const numbers = (name) => (values.get(name) ?? "").split(",").filter((text) => text !== "").map(Number);
  const [row, col] = numbers("at");
  if (Number.isFinite(row) && Number.isFinite(col)) Object.assign(next, { row, col });
  const resolution = Number(values.get("scale"));
  if (resolution > 0 && Number.isFinite(resolution)) next.resolution = resolution;
  const layer = values.get("layer");
  const found = scene.layers.find((each) => each.name === layer);
  if (found || layer === "none") next.layer = layer;
  const channel = Number(values.get("channel") ?? "");
  if (found && Number.isInteger(channel) && channel >= 0 && channel < Math.max(found.channels.length, 1)) next.channel = channel;
  const opacity = Number(values.get("opacity") ?? NaN);
  if (opacity >= 0 && opacity <= 1) next.opacity = opacity;
  if (values.has("image")) {
    next.image = values.get("image") !== "off";
    const imageOpacity = Number(values.get("image"));
    if (imageOpacity >= 0 && imageOpacity <= 1) next.imageOpacity = imageOpacity;
  }
  const bands = numbers("bands");
  const known = (band) => Number.isInteger(band) && band >= 0 && band < scene.image.bands.length;
  if ([1, 3].includes(bands.length) && bands.every(known)) next.bands = bands;
  if (values.has("hide")) next.hidden = numbers("hide").filter((code) => scene.classes.some((row) => row.code === code));
  if (values.has("lines")) next.lines = values.get("lines").split(",").filter((name) => LINES.includes(name));
  return next;
}
