// What a machine can see of a page: whether it fits, keeps to its policy, and can be used without
// eyes or mouse. Pictures go to `shots/`, to be looked at by people.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const SHOTS = fileURLToPath(new URL("../shots/", import.meta.url));
const WIDTHS = { wide: 1280, narrow: 390 };
const SCHEMES = ["light", "dark"];
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Looks at the page wide and narrow, light and dark, and asks axe about each. */
export async function look(page, name) {
  await mkdir(SHOTS, { recursive: true });
  const axe = await readFile(AXE, "utf8");
  for (const [word, width] of Object.entries(WIDTHS)) {
    for (const colorScheme of SCHEMES) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const shot = `${name}-${word}-${colorScheme}`;
      await page.screenshot({ path: `${SHOTS}${shot}.png`, fullPage: true });
      const beyond = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(beyond <= 0, `${shot} is ${beyond}px too wide`);
      await page.evaluate(axe);
      const found = await page.evaluate(async () => {
        const { violations } = await globalThis.axe.run();
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
      });
      assert.deepEqual(found, [], `axe about ${shot}`);
    }
  }
}

/** Collects what the browser complains of: errors of scripts, and breaches of the page's policy. */
export function complaints(page) {
  const said = [];
  page.on("console", (line) => line.type() === "error" && said.push(line.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  return said;
}
