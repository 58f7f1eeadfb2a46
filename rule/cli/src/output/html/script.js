// Sorts, filters and pages the users, and copies key ids and commands. Everything else works without it.
"use strict";
const numbers = new Intl.NumberFormat("en");

// Each id and command gets a button, once it is shown.
const said = document.createElement("p");
said.id = "copied";
said.setAttribute("role", "status");
document.body.append(said);
let saying;
const say = (text) => {
  clearTimeout(saying);
  said.textContent = text;
  saying = setTimeout(() => (said.textContent = ""), 4000);
};
const copy = async (code) => {
  const text = code.textContent;
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${text}`);
  } catch {
    // Not every browser lets a file use the clipboard.
    getSelection().selectAllChildren(code);
    say(document.execCommand("copy") ? `Copied: ${text}` : "Selected, but not copied: use your keyboard.");
  }
};
const offerCopies = (root) => {
  root.querySelectorAll("code:not(:has(+ .copy))").forEach((code) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.title = "Copy";
    button.ariaLabel = `Copy ${code.textContent}`;
    button.addEventListener("click", () => copy(code));
    code.after(button);
  });
};
offerCopies(document);

const table = document.getElementById("findings");
if (table) {
  const PAGE = 200;
  const users = [...table.tBodies];
  let rest = document.getElementById("rest");
  const total = users.length + Number(rest?.dataset.users ?? 0);
  const form = document.querySelector("#controls form");
  const fields = [...form.elements].filter((field) => field.name);
  const shown = document.getElementById("shown");
  const more = document.getElementById("more");
  const headers = [...table.tHead.rows[0].cells];
  const names = headers.map((header) => header.textContent);
  let sorted = { column: -1, direction: "" };
  let limit = PAGE;

  // The browser left the rest of the users as text, since there is a script. It is part of this page, so it is as safe to parse.
  const all = () => {
    if (rest) {
      const template = document.createElement("template");
      template.innerHTML = rest.textContent;
      users.push(...template.content.querySelectorAll("tbody"));
      rest.remove();
      rest = null;
    }
    return users;
  };

  const cell = (user, column) => user.rows[0].cells[column].textContent;
  const texts = new Map();
  const text = (user) => {
    if (!texts.has(user)) texts.set(user, user.textContent.toLowerCase());
    return texts.get(user);
  };
  const tests = {
    search: (user, value) => value.toLowerCase().split(/\s+/).every((word) => text(user).includes(word)),
    account: (user, value) => cell(user, 0).startsWith(value),
    state: (user, value) => user.dataset.state.includes(value),
    priority: (user, value) => cell(user, 3).includes(value),
    owner: (user, value) => cell(user, 4) === value,
  };

  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const inOrder = (list) => {
    const { column, direction } = sorted;
    if (!direction) return list;
    const key = headers[column].dataset.sort;
    const sign = direction === "ascending" ? 1 : -1;
    const values = new Map(list.map((user) => [user, key ? user.dataset[key] : cell(user, column)]));
    return [...list].sort((a, b) => {
      const [x, y] = [values.get(a), values.get(b)];
      // Unknown values come last in both directions.
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (key ? x - y : compare(x, y));
    });
  };

  const show = () => {
    const set = fields.filter((field) => field.value.trim());
    const isPart = set.length > 0;
    const list = isPart || sorted.direction || limit > PAGE ? inOrder(all()) : users;
    const fitting = isPart ? list.filter((user) => set.every((field) => tests[field.name](user, field.value))) : list;
    const count = isPart ? fitting.length : total;
    const page = fitting.slice(0, limit);
    table.replaceChildren(table.caption, table.tHead, ...page);
    offerCopies(table);
    const left = count - page.length;
    more.hidden = left === 0;
    more.textContent = `Show ${numbers.format(Math.min(left, PAGE))} more`;
    const first = left > 0 ? `, the first ${numbers.format(page.length)} below` : "";
    shown.textContent = `${numbers.format(count)} of ${numbers.format(total)} shown${first}`;
    headers.forEach((header, column) => {
      if (sorted.direction && column === sorted.column) header.setAttribute("aria-sort", sorted.direction);
      else header.removeAttribute("aria-sort");
    });
  };

  // The filter and the order are in the address, so that a link shows the same users to somebody else. They are in the part that
  // a browser does not send to a server. Whoever made the link may have written anything there.
  const write = () => {
    const address = new URLSearchParams();
    fields.forEach((field) => field.value.trim() && address.set(field.name, field.value));
    if (sorted.direction) address.set(sorted.direction, names[sorted.column]);
    history.replaceState(null, "", `#${address}`);
  };
  const read = () => {
    const address = new URLSearchParams(location.hash.slice(1));
    const direction = ["ascending", "descending"].find((name) => address.has(name)) ?? "";
    if (!direction && !fields.some((field) => address.has(field.name))) return false;
    fields.forEach((field) => {
      field.value = address.get(field.name) ?? "";
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    });
    const column = names.indexOf(address.get(direction));
    sorted = column === -1 ? { column, direction: "" } : { column, direction };
    document.getElementById("users").scrollIntoView();
    return true;
  };
  const change = () => {
    limit = PAGE;
    show();
    write();
  };

  // The first click sorts text from A to Z, and ages and dates from the highest. The second reverses the order. The third
  // restores it.
  const sort = (column) => {
    const directions = headers[column].dataset.sort ? ["descending", "ascending"] : ["ascending", "descending"];
    const now = column === sorted.column ? sorted.direction : "";
    sorted = { column, direction: directions[directions.indexOf(now) + 1] ?? "" };
    change();
  };
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(column));
    header.append(button);
  });

  // An owner or an account in the tables above leads to its users.
  for (const name of ["owner", "account"]) {
    const values = new Set([...form.elements[name].options].map((option) => option.value));
    const section = document.getElementById(`${name}s`)?.parentElement;
    section?.querySelectorAll("tbody th bdi, tbody th:not(:has(*))").forEach((of) => {
      if (!values.has(of.textContent)) return;
      const link = document.createElement("a");
      link.href = `#${new URLSearchParams({ [name]: of.textContent })}`;
      link.append(...of.childNodes);
      of.append(link);
    });
  }

  // Waits for a pause in typing, since a screen reader announces each change.
  let timer;
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(change, event.target.id === "search" ? 150 : 0);
  });
  form.addEventListener("reset", () => setTimeout(change));
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    limit += PAGE;
    show();
  });
  // Paper has no button for more.
  addEventListener("beforeprint", () => {
    limit = Infinity;
    show();
  });
  addEventListener("afterprint", () => {
    limit = PAGE;
    show();
  });
  addEventListener("hashchange", () => read() && change());
  document.getElementById("controls").hidden = false;
  read();
  // The browser may have kept the form's values.
  show();
}
