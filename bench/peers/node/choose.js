// The routes in turn as regular expressions, and the side by a hash (FNV-1a) of the cookie.
"use strict";
const fs = require("fs");
const config = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const routes = config.routes.map((text) => new RegExp(text));

exports.config = config;
exports.choose = function (request) {
  const mark = request.url.indexOf("?");
  const path = mark < 0 ? request.url : request.url.slice(0, mark);
  if (!routes.some((route) => route.test(path)) || !config.split) return config.legacy;
  const found = /(?:^|; )figway_id=([^;]*)/.exec(request.headers.cookie || "");
  let hash = 2166136261;
  const key = found ? found[1] : request.socket.remoteAddress;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 16777619);
  return (hash >>> 0) % 10000 < 2500 ? config.new : config.legacy;
};
