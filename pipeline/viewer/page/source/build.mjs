// Builds view.js and view.css, and lists the licences of what is in them: `npm ci && npm run build`.

import { readFile, readdir, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const { metafile } = await build({
  entryPoints: { view: "main.js" },
  outdir: "..",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  metafile: true,
});
const styles = await build({
  entryPoints: { view: "style.css" },
  outdir: "..",
  bundle: true,
  minify: true,
  metafile: true,
});
const inputs = Object.keys({ ...metafile.inputs, ...styles.metafile.inputs });
const packages = [...new Set(inputs.map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean))];
const texts = await Promise.all(
  packages.sort().map(async (name) => {
    const { version } = JSON.parse(await readFile(`node_modules/${name}/package.json`, "utf8"));
    const file = (await readdir(`node_modules/${name}`)).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${version}\n\n${(await readFile(`node_modules/${name}/${file}`, "utf8")).trim()}\n`;
  }),
);
await writeFile("../licences.txt", texts.join("\n\n"));
