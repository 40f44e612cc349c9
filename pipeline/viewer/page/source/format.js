// Numbers as people read them.

const DIGITS = { maximumSignificantDigits: 4 };

export function number(value, digits = 6) {
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumFractionDigits: 8 });
}

export function share(value) {
  return `${(100 * value).toLocaleString("en", { maximumSignificantDigits: 3 })} %`;
}

export function area(value, unit) {
  if (unit === "m2" && value >= 1e6) return `${(value / 1e6).toLocaleString("en", DIGITS)} km²`;
  if (unit === "m2" && value >= 1e4) return `${(value / 1e4).toLocaleString("en", DIGITS)} ha`;
  if (unit === "um2" && value >= 1e6) return `${(value / 1e6).toLocaleString("en", DIGITS)} mm²`;
  return `${value.toLocaleString("en", DIGITS)} ${{ m2: "m²", um2: "µm²", px: "px" }[unit]}`;
}

export function length(value, unit) {
  const larger = { m: [1000, "km"], "µm": [1000, "mm"] }[unit];
  return larger && value >= larger[0] ? `${value / larger[0]} ${larger[1]}` : `${value} ${unit}`;
}

// The largest of 1, 2 and 5 times a power of ten below a length.
export function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [5, 2, 1].map((step) => step * power).find((step) => step <= value) ?? power;
}

export function coordinates(scene, col, row) {
  const [a, b, c, d, e, f] = scene.transform;
  return [a * col + b * row + c, d * col + e * row + f].map((value) => String(Number(value.toPrecision(9))));
}
