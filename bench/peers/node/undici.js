"use strict";
const http = require("http");
const { Pool } = require("undici");
const { config, choose } = require("./choose.js");
const pools = {};
for (const port of [config.legacy, config.new]) {
  pools[port] = new Pool(`http://127.0.0.1:${port}`, { connections: 1024, pipelining: 1 });
}
const HOP = new Set(["connection", "keep-alive", "transfer-encoding", "te", "upgrade",
  "proxy-connection", "proxy-authenticate", "proxy-authorization"]);

function forwarded(raw) {
  const out = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (!HOP.has(raw[i].toLowerCase())) out.push(raw[i], raw[i + 1]);
  }
  return out;
}

http
  .createServer((request, response) => {
    const headers = forwarded(request.rawHeaders);
    headers.push("X-Forwarded-For", request.socket.remoteAddress, "X-Forwarded-Proto", "http");
    const body = request.method === "GET" || request.method === "HEAD" ? null : request;
    pools[choose(request)].stream(
      { path: request.url, method: request.method, headers, body, responseHeaders: "raw" },
      ({ statusCode, headers }) => {
        const raw = headers.map((item) => item.toString("latin1"));
        response.writeHead(statusCode, forwarded(raw));
        return response;
      },
      (error) => {
        if (error && !response.headersSent) response.writeHead(502).end();
        else if (error) response.destroy();
      },
    );
  })
  .listen(config.port, "127.0.0.1", 4096);
