// The status page: follows the issuer's events and shows the last document. Only textContent and attributes are set, so
// nothing that a server or a node says can become a part of the page. The credential stays in one variable.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const issuers = "issuer:";
  let credential = null;
  let last = null;
  let heard = 0;
  let attempt = 0;
  let retry = 0;
  const states = new Map();

  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const attribute = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };
  const element = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const shape = (name, attributes, parent) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (parent) parent.append(node);
    return node;
  };

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const count = (value) => value === undefined ? "–" : whole.format(value).replaceAll(",", "\u202f");
  const seconds = (milliseconds) => (milliseconds / 1000).toFixed(1) + " s";
  const duration = (microseconds) => {
    if (microseconds < 1000) return microseconds + " µs";
    const milliseconds = microseconds / 1000;
    if (milliseconds < 10) return milliseconds.toFixed(1) + " ms";
    if (milliseconds < 1000) return milliseconds.toFixed(0) + " ms";
    return (milliseconds / 1000).toFixed(2) + " s";
  };
  const clock = (time) => time.slice(11, 19);

  // MARK: The stream

  const link = (state, text) => {
    attribute(byId("link"), "data-state", state);
    set(byId("link-text"), text);
  };

  async function watch() {
    const headers = credential ? { Authorization: "Bearer " + credential } : {};
    let response;
    try {
      response = await fetch("/admin/v1/events", { headers, cache: "no-store", credentials: "same-origin" });
    } catch {
      return later();
    }
    if (response.status === 401 || response.status === 403) return refused();
    if (!response.ok) return later();
    attempt = 0;
    byId("login").hidden = true;
    byId("content").hidden = false;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        rest += value;
        const events = rest.split("\n\n");
        rest = events.pop();
        for (const event of events) take(event);
      }
    } catch { /* The connection is gone. */ }
    later();
  }

  function take(event) {
    const line = event.split("\n").find((line) => line.startsWith("data: "));
    if (!line) return;
    last = JSON.parse(line.slice(6));
    heard = Date.now();
    show();
  }

  function refused() {
    const isFirst = credential === null;
    credential = null;
    byId("content").hidden = true;
    byId("login").hidden = false;
    link("off", "not connected");
    set(byId("login-problem"), isFirst ? "" : "The issuer refuses this credential.");
    byId("credential").focus();
  }

  function later() {
    link("lost", heard ? "connection lost, last heard at " + clock(new Date(heard).toISOString()) + " UTC" : "no connection");
    byId("content").classList.add("stale");
    attempt += 1;
    retry = setTimeout(watch, Math.min(10000, 500 * 2 ** attempt));
  }

  // MARK: The document

  function show() {
    byId("content").classList.remove("stale");
    link("live", "live, " + clock(last.time) + " UTC");
    set(byId("issuer"), last.issuer + " · " + last.version);
    document.title = (last.ready ? "" : "▲ ") + "Quash status, " + last.issuer;
    const validators = last.nodes.filter((node) => !node.node.startsWith(issuers));
    const { total, held, greatest_lag: lag, decisions_per_second: decisions } = last.validators;
    showProblems();
    figure("f-validators", count(held) + " of " + count(total), held < total ? "bad" : "");
    figure("f-decisions", count(decisions), "");
    figure("f-head", count(last.head), "");
    figure("f-lag", count(lag), lag > 0 ? "warn" : "");
    const slowest = Math.max(-1, ...last.revocations.map((one) => one.status === "confirmed" ? one.took_us : -1));
    figure("f-slowest", slowest < 0 ? "–" : duration(slowest), "");
    figure("f-epoch", last.epoch || "none open", "code" + (last.epoch ? "" : " bad"));
    showNodes([...validators, ...last.nodes.filter((node) => node.node.startsWith(issuers))]);
    showRevocations();
  }

  function figure(id, text, className) {
    set(byId(id), text);
    attribute(byId(id), "class", className);
  }

  function showProblems() {
    const texts = [...last.problems];
    if (last.waiting_for.length) texts.push("the feed waits for the issuers " + last.waiting_for.join(", "));
    if (last.age_ms > 5000) texts.push("the registry was last read " + seconds(last.age_ms) + " ago");
    const list = byId("problems");
    list.hidden = texts.length === 0;
    if (list.dataset.texts === texts.join("\n")) return;
    list.dataset.texts = texts.join("\n");
    list.replaceChildren(...texts.map((text) => element("li", "", text)));
  }

  function state(node) {
    if (node.lease_left_ms <= 0) return ["ended", "lease ended"];
    if (node.duplicate) return ["double", "two processes"];
    return node.lag > 0 ? ["behind", "behind"] : ["held", "lease held"];
  }

  function showNodes(nodes) {
    const body = byId("nodes");
    const rows = new Map([...body.children].map((row) => [row.dataset.node, row]));
    nodes.forEach((node, index) => {
      const row = rows.get(node.node) || newRow(node.node);
      rows.delete(node.node);
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] || null);
      fill(row, node);
    });
    for (const row of rows.values()) row.remove();
    announce(nodes);
    set(byId("more"), last.nodes_total > nodes.length
      ? "Of " + last.nodes_total + " nodes, the " + nodes.length + " whose leases end first." : "");
  }

  function newRow(name) {
    const row = element("tr");
    row.dataset.node = name;
    const [id, boot] = name.replace(issuers, "").split("/");
    const head = element("th", "", id);
    head.scope = "row";
    head.append(element("span", "quiet", (name.startsWith(issuers) ? " issuer " : " ") + (boot || "").slice(0, 4)));
    head.title = name;
    const bar = element("td", "bar");
    const svg = shape("svg", { width: 96, height: 6, "aria-hidden": "true" });
    shape("rect", { class: "track", width: 96, height: 6, rx: 1 }, svg);
    shape("rect", { class: "fill", width: 0, height: 6, rx: 1 }, svg);
    bar.append(svg);
    row.append(head, element("td", "state"), element("td", "number"), bar, element("td", "number"),
      element("td", "number wide"), element("td", "number"), element("td", "number"), element("td", "wide"));
    return row;
  }

  function fill(row, node) {
    const [word, text] = state(node);
    const cells = row.children;
    attribute(cells[1], "data-state", word);
    set(cells[1], text);
    set(cells[2], node.lease_left_ms > 0 ? seconds(node.lease_left_ms) : "0");
    const part = node.lease_ms ? node.lease_left_ms / node.lease_ms : 0;
    const fillBar = cells[3].querySelector(".fill");
    attribute(fillBar, "width", String(Math.round(96 * part)));
    attribute(fillBar, "class", part < 0.4 ? "fill low" : "fill");
    set(cells[4], count(node.lag));
    attribute(cells[4], "class", node.lag > 0 ? "number warn" : "number");
    set(cells[5], count(node.applied));
    set(cells[6], count(node.entries));
    set(cells[7], word === "ended" ? "–" : count(node.decisions_per_second));
    set(cells[8], node.version);
  }

  // Only changes between holding a lease and not are told to those who listen: figures change each second.
  function announce(nodes) {
    const news = [];
    const seen = new Set();
    for (const node of nodes) {
      const holds = node.lease_left_ms > 0;
      const name = node.node.split("/")[0];
      seen.add(node.node);
      if (states.has(node.node) && states.get(node.node) !== holds) news.push(name + (holds ? " holds a lease" : " has no lease"));
      if (!states.has(node.node) && states.size) news.push(name + " is new");
      states.set(node.node, holds);
    }
    for (const name of [...states.keys()]) {
      if (seen.has(name)) continue;
      states.delete(name);
      news.push(name.split("/")[0] + " is gone");
    }
    if (news.length) set(byId("news"), news.join(", "));
  }

  // MARK: Revocations

  const words = {
    asked: "being stored", stored: "stored", awaited: "waiting", confirmed: "confirmed",
    unconfirmed: "not confirmed in time", failed: "not stored",
  };

  function showRevocations() {
    const all = last.revocations;
    const key = JSON.stringify(all) + byId("chart").clientWidth;
    if (byId("recent").dataset.key === key) return;
    byId("recent").dataset.key = key;
    byId("none").hidden = all.length > 0;
    set(byId("chart-count"), String(all.length));
    byId("recent").replaceChildren(...all.slice(-12).reverse().map((one) => {
      const row = element("tr");
      row.append(element("td", "", clock(one.time)), element("td", "number", count(one.seq)),
        element("td", "", one.count > 1 ? one.kind + " × " + one.count : one.kind),
        element("td", one.status === "unconfirmed" || one.status === "failed" ? "bad" : "", words[one.status] || one.status),
        element("td", "number", one.took_us === undefined ? "–" : duration(one.took_us)));
      return row;
    }));
    draw(all);
  }

  // Dots over a logarithmic axis from 100 µs to 10 s, in the pixels of the page.
  function draw(all) {
    const chart = byId("chart");
    const [width, height] = [Math.max(240, chart.clientWidth), chart.clientHeight];
    const [left, right, top, bottom] = [54, 12, 12, 22];
    const y = (microseconds) => {
      const part = (Math.log10(Math.min(1e7, Math.max(100, microseconds))) - 2) / 5;
      return height - bottom - part * (height - top - bottom);
    };
    const x = (index) => left + 12 + (width - left - right - 24) * (50 - all.length + index + 0.5) / 50;
    const svg = shape("svg", { role: "img", "aria-labelledby": "chart-title", viewBox: `0 0 ${width} ${height}` });
    shape("title", { id: "chart-title" }, svg).textContent = summary(all);
    for (const [value, text] of [[100, "100 µs"], [1e3, "1 ms"], [1e4, "10 ms"], [1e5, "100 ms"], [1e6, "1 s"], [1e7, "10 s"]]) {
      shape("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }, svg);
      shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, svg).textContent = text;
    }
    all.forEach((one, index) => mark(svg, one, x(index), y, height - bottom));
    chart.replaceChildren(svg);
  }

  function mark(svg, one, x, y, base) {
    switch (one.status) {
      case "confirmed": return shape("circle", { class: "dot", cx: x, cy: y(one.took_us), r: 3.5 }, svg);
      case "unconfirmed": {
        const cy = y(one.took_us);
        return shape("path", { class: "cross", d: `M${x - 4} ${cy - 4}l8 8m0-8l-8 8` }, svg);
      }
      case "failed": return shape("path", { class: "fail", d: `M${x - 4} ${base + 4}h8l-4 8z` }, svg);
      case "stored": return shape("line", { class: "tick", x1: x, x2: x, y1: base + 4, y2: base + 12 }, svg);
      default: return shape("circle", { class: "wait", cx: x, cy: base + 8, r: 3.5 }, svg);
    }
  }

  function summary(all) {
    const confirmed = all.filter((one) => one.status === "confirmed").map((one) => one.took_us).sort((a, b) => a - b);
    const missed = all.filter((one) => one.status === "unconfirmed" || one.status === "failed").length;
    if (!confirmed.length) return `Of the last ${all.length} revocations none was confirmed, ${missed} failed.`;
    return `Of the last ${all.length} revocations ${confirmed.length} were confirmed, half of them within `
      + `${duration(confirmed[Math.floor((confirmed.length - 1) / 2)])}, the slowest in `
      + `${duration(confirmed[confirmed.length - 1])}; ${missed} failed.`;
  }

  // MARK: The start

  byId("login").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId("credential");
    credential = field.value;
    field.value = "";
    // Of two that watch, each would be told everything.
    clearTimeout(retry);
    set(byId("login-problem"), "");
    link("off", "connecting");
    watch();
  });
  new ResizeObserver(() => { if (last) showRevocations(); }).observe(byId("chart"));
  if (document.documentElement.dataset.credential === "none") {
    watch();
  } else {
    byId("login").hidden = false;
    byId("credential").focus();
  }
})();
