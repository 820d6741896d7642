"use strict";
const http = require("http");
const httpProxy = require("http-proxy");
const { config, choose } = require("./choose.js");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 1024 });
const proxy = httpProxy.createProxyServer({ agent, xfwd: true });
proxy.on("error", (error, request, response) => {
  if (response.writeHead) response.writeHead(502).end();
});
http
  .createServer((request, response) => {
    proxy.web(request, response, { target: { host: "127.0.0.1", port: choose(request) } });
  })
  .listen(config.port, "127.0.0.1", 4096);
