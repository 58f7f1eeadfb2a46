// Sorts and filters the users. Everything else works without it.
"use strict";
const table = document.getElementById("findings");
if (table) {
  const users = [...table.tBodies];
  const controls = document.getElementById("controls");
  const form = controls.querySelector("form");
  const search = form.querySelector("input");
  const selects = [...form.querySelectorAll("select")];
  const shown = document.getElementById("shown");
  const texts = users.map((user) => user.textContent.toLowerCase());
  const numbers = new Intl.NumberFormat("en");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    let count = 0;
    users.forEach((user, n) => {
      const fits =
        words.every((word) => texts[n].includes(word)) &&
        selects.every((select) => user.dataset[select.name].includes(select.value));
      user.hidden = !fits;
      count += fits;
    });
    shown.textContent = `${numbers.format(count)} of ${numbers.format(users.length)} shown`;
  };

  // The first click sorts text from A to Z, and ages and dates from the highest. The second reverses the order. The third
  // restores it.
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const headers = [...table.tHead.rows[0].cells];
  const sort = (header, column) => {
    const key = header.dataset.sort;
    const directions = key ? ["descending", "ascending"] : ["ascending", "descending"];
    const direction = directions[directions.indexOf(header.ariaSort) + 1];
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    let order = users;
    if (direction) {
      header.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const values = new Map(users.map((user) => [user, key ? user.dataset[key] : user.rows[0].cells[column].textContent]));
      order = [...users].sort((a, b) => {
        const [x, y] = [values.get(a), values.get(b)];
        // Unknown values come last in both directions.
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (key ? x - y : compare(x, y));
      });
    }
    order.forEach((user) => table.append(user));
  };

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(header, column));
    header.append(button);
  });

  const accounts = new Map(users.map((user) => [user.dataset.account, user.rows[0].cells[0].textContent]));
  [...accounts].sort().forEach(([id, name]) => {
    selects[0].add(new Option(name, id));
  });

  // Waits for a pause in typing, since a screen reader announces each change.
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 150);
  });
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  // The browser may have kept the form's values.
  filter();
}
