// Opens a page of `scan`, `evidence` or `where` in Chromium, as people do, and prints what is on it as JSON.
//
// node check.mjs FILE.html [--screenshot OUT.png] [--pdf OUT.pdf]
//
// Fails if the page asks for anything, breaks its own content security policy, or cannot be used without scripts, by
// keyboard, on a narrow screen, on paper or with a screen reader. Its packages are under target/; CHROMIUM is the browser,
// /usr/bin/chromium unless it is set.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const require = createRequire(new URL("../../target/browser/", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { values, positionals } = parseArgs({ options: { screenshot: { type: "string" }, pdf: { type: "string" } }, allowPositionals: true });
const [file] = positionals;
const address = pathToFileURL(file).href;

const html = readFileSync(file, "utf8");
for (const element of ["style", "script"]) {
  const [, text] = html.match(new RegExp(`<${element}>(.*?)</${element}>`, "s"));
  const hash = `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  assert(html.includes(`${element}-src ${hash}`), `rule/cli/src/output/html.rs: the hash of the ${element} is ${hash}`);
}

// Each launch has a new directory of its own for the user's data.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const requests = [];
const errors = [];

async function open(options, hash = "") {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await context.route("**/*", (route) => {
    requests.push(route.request().url().split("#")[0]);
    return route.request().url().split("#")[0] === address ? route.continue() : route.abort();
  });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("dialog", (dialog) => errors.push(`a dialog: ${dialog.message()}`));
  await page.goto(address + hash);
  return page;
}

// What a reader sees: of each user, the cells' text line by line.
const users = (page) =>
  page.locator(".findings > tbody").evaluateAll((bodies) =>
    bodies
      .filter((body) => body.checkVisibility())
      .map((body) => [...body.rows].map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\s*\n\s*/g, " | ")))),
  );
const visible = (page, selector) => page.locator(selector).isVisible();
const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

const callersOverflow = (page) =>
  page.locator(".scrolling:has(.callers)").evaluateAll((boxes) => Math.max(0, ...boxes.map((box) => box.scrollWidth - box.clientWidth)));

const broken = (page) =>
  page.locator("nav a").evaluateAll((links) => {
    const lines = (link) => {
      const range = document.createRange();
      range.selectNodeContents(link);
      return range.getClientRects().length;
    };
    return links.filter((link) => lines(link) > 1).map((link) => link.innerText);
  });

async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(found, [], what);
}

const plain = await open({ javaScriptEnabled: false });
// Without scripts, users after the first 200 are in a second table.
const all = await users(plain);
assert(!(await plain.locator("#controls").count()) || !(await visible(plain, "#controls")), "controls without a script");
assert.equal(await plain.locator("button:visible").count(), 0);
const seen = {
  title: await plain.title(),
  text: await plain.locator("body").innerText(),
  users: all,
};

const page = await open({});
if (all.length > 0) {
  await sorts(page);
  await filters(page);
  await shares();
}
await copies();
for (const colorScheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme });
  await accessible(page, colorScheme);
}
await page.emulateMedia({ colorScheme: "light" });
for (const width of [320, 390, 800, 1200]) {
  await page.setViewportSize({ width, height: 640 });
  assert.equal(await overflow(page), 0, `${width} pixels: the page scrolls sideways`);
  assert.equal(await callersOverflow(page), 0, `${width} pixels: a table of callers scrolls sideways`);
  assert.deepEqual(await broken(page), [], `${width} pixels: links that take several lines`);
  await accessible(page, `${width} pixels`);
}
await printed();
if (values.screenshot) {
  const picture = await open({ viewport: { width: 1200, height: 1450 } });
  await picture.screenshot({ path: values.screenshot });
}
assert.deepEqual(errors, []);
assert.deepEqual([...new Set(requests)], [address], "requests");
await browser.close();
console.log(JSON.stringify(seen));

async function sorts(page) {
  const header = (name) => page.locator("#findings thead th", { hasText: name });
  const ages = () =>
    page.locator("#findings > tbody").evaluateAll((bodies) => bodies.map((body) => Number(body.dataset.age)));
  const state = async (name) => [await header(name).getAttribute("aria-sort"), await users(page)];
  const original = await users(page);
  assert.deepEqual(original, all, "the script changes nothing by itself");

  const button = header("Age").locator("button");
  const down = (await ages()).sort((a, b) => b - a);
  await button.click();
  assert.equal(await header("Age").getAttribute("aria-sort"), "descending");
  assert.deepEqual(await ages(), down);
  await button.press("Enter");
  assert.equal(await header("Age").getAttribute("aria-sort"), "ascending");
  assert.deepEqual(await ages(), down.reverse());
  await button.press("Space");
  assert.deepEqual(await state("Age"), [null, original]);

  // Users whose keys' use was not read are last both times; "no use on record" is before every date.
  const uses = async () => (await users(page)).map(([[, , , , , , , used]]) => used);
  for (const [direction, first] of [["descending", /^\d{4}-/], ["ascending", /no use on record/]]) {
    await header("Last used").locator("button").click();
    assert.equal(await header("Last used").getAttribute("aria-sort"), direction);
    const now = await uses();
    assert.match(now[0], first);
    assert.equal(now.at(-1), "not read");
  }
  await header("User").locator("button").click();
  const names = (await users(page)).map(([[, name]]) => name);
  assert.deepEqual(names, [...names].sort(new Intl.Collator("en", { numeric: true }).compare));
  assert.deepEqual(await page.locator("th[aria-sort]").count(), 1, "one column at a time");
  // The order is in the address.
  await page.reload();
  assert.deepEqual((await users(page)).map(([[, name]]) => name), names);
  await header("User").locator("button").click();
  await header("User").locator("button").click();
  assert.deepEqual(await users(page), original);
}

async function filters(page) {
  const shown = async (count) => {
    const text = `${count.toLocaleString("en")} of ${all.length.toLocaleString("en")} shown`;
    await page.locator("#shown", { hasText: new RegExp(`^${text}$`) }).waitFor();
    assert.equal(await page.locator("#shown").getAttribute("role"), "status");
    assert.equal((await users(page)).length, count);
  };
  const matching = (matches) => all.filter(([cells]) => matches(cells)).length;
  await shown(all.length);
  const [[, , , , , key]] = all.at(-1);
  await page.getByLabel("Search").fill(key.slice(0, 20).toLowerCase());
  await shown(1);
  await page.getByLabel("Search").fill("nobody has this name");
  await shown(0);
  await page.getByLabel("Search").press("Enter");
  await page.getByRole("button", { name: "Show all" }).click();
  await shown(all.length);
  const choices = [
    ["State", 2, ["non-compliant", "exempt", "due soon"]],
    ["Priority", 3, ["production", "in use", "idle"]],
    ["Account", 0, await page.getByLabel("Account", { exact: true }).locator("option:not(:first-child)").allInnerTexts()],
    ["Owner", 4, await page.getByLabel("Owner", { exact: true }).locator("option:not(:first-child)").allInnerTexts()],
  ];
  seen.shown = {};
  for (const [label, column, options] of choices) {
    for (const option of options) {
      await page.getByLabel(label, { exact: true }).selectOption({ label: option });
      const count = matching((cells) => cells[column].replace(" | ", " ").includes(option));
      await shown(count);
      if (label !== "Owner") seen.shown[option] = count;
    }
    await page.getByRole("button", { name: "Show all" }).click();
    await shown(all.length);
  }
}

// The address holds the filter and the order, and whoever made a link may have written anything there.
async function shares() {
  const page = await open({});
  await page.getByLabel("Search").fill("AKIA");
  await page.getByLabel("State", { exact: true }).selectOption("non-compliant");
  await page.locator("#findings thead button", { hasText: "User" }).click();
  await page.waitForFunction(() => location.hash.includes("search"));
  const shared = await page.evaluate(() => location.hash);
  assert.equal(shared, "#search=AKIA&state=non-compliant&ascending=User");
  const expected = await users(page);
  const other = await open({}, shared);
  assert.deepEqual(await users(other), expected);
  assert.equal(await other.getByLabel("State", { exact: true }).inputValue(), "non-compliant");
  await other.getByRole("button", { name: "Show all" }).click();
  await other.locator("#findings thead button", { hasText: "User" }).click();
  await other.locator("#findings thead button", { hasText: "User" }).click();
  await other.waitForFunction(() => location.hash === "");
  assert.deepEqual(await users(other), all);

  const hostile = "<img src=x onerror=alert(1)>";
  const made = new URLSearchParams({ search: hostile, state: hostile, owner: "__proto__", ascending: "constructor", more: hostile });
  const strange = await open({}, `#${made}`);
  assert.equal(await strange.getByLabel("Search").inputValue(), hostile);
  assert.equal(await strange.getByLabel("State", { exact: true }).inputValue(), "");
  assert.equal(await strange.locator("img").count(), 0);
  // A link of the page itself is no filter.
  const anchor = await open({}, "#accounts");
  assert.deepEqual(await users(anchor), all);
}

// With the clipboard, and in a browser that does not let a file use it.
async function copies() {
  for (const fallback of [false, true]) {
    const page = await open({ permissions: ["clipboard-read", "clipboard-write"] });
    if (!(await page.locator("code").count())) return;
    if (fallback) await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
    const code = page.locator("code").last();
    await page.getByRole("button", { name: `Copy ${await code.innerText()}`, exact: true }).last().press("Enter");
    await page.locator("#copied", { hasText: "Copied: " }).waitFor();
    const reader = fallback ? await open({ permissions: ["clipboard-read"] }) : page;
    assert.equal(await reader.evaluate(() => navigator.clipboard.readText()), await code.innerText());
  }
}

async function printed() {
  const page = await open({});
  if (all.length > 0) {
    await page.getByLabel("State", { exact: true }).selectOption("due soon");
  }
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  assert.equal(await page.locator("input:visible, select:visible, nav:visible").count(), 0, "controls on paper");
  const [text, paper] = await page.evaluate(() => {
    const { color, backgroundColor } = getComputedStyle(document.body);
    return [color, backgroundColor];
  });
  assert.deepEqual([text, paper], ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]);
  const split = await page.locator("tr").evaluateAll((rows) =>
    rows.filter((row) => getComputedStyle(row).breakInside !== "avoid").map((row) => row.innerText),
  );
  assert.deepEqual(split, [], "rows that a page break may split");
  assert.equal(await page.locator(".copy:visible, #more:visible").count(), 0, "buttons on paper");
  // A4 on its side, in points, with nothing wider than the paper.
  const pdf = await page.pdf({ preferCSSPageSize: true, path: values.pdf });
  const [, width, height] = pdf.toString("latin1").match(/\/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]/);
  assert.deepEqual([width, height].map((side) => Math.round(Number(side))), [842, 595]);
  await page.setViewportSize({ width: Math.floor(((297 - 24) / 25.4) * 96), height: 640 });
  assert.equal(await overflow(page), 0, "wider than A4");
  if (all.length > 0) {
    // A part that is printed says that it is one.
    assert(await visible(page, "#shown"));
    const head = page.locator("#findings thead");
    assert.equal(await head.evaluate((head) => getComputedStyle(head).display), "table-header-group");
    const body = page.locator("#findings tbody").first();
    assert.equal(await body.evaluate((body) => getComputedStyle(body).breakInside), "avoid");
  }
}
