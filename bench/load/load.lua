-- The load of the closed-loop scenarios: wrk -s load.lua URL -- KIND ROUTES
--   browser  GET with a head of about 700 bytes: a trace id that differs on every request, a route
--            and ids likewise, and one of 2 000 users, so that a connection serves many in turn
--   plain    the same short GET every time
--   graphql  POST of about 900 bytes to /graphql: GetCart and GetUser in turn
--   post     POST of 4 KB        slow, 1m, 100m   GET of that path
--   of more than 200 routes it visits 200, spread over all, so that the tables differ and the traffic
--   does not
local kind, routes, fixed
local visited, stride = 1, 1

local agents = {
  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
}
local languages = { "en-GB,en;q=0.9", "de-DE,de;q=0.9,en;q=0.6", "fr-FR,fr;q=0.8,en-US;q=0.5,en;q=0.3" }
local tails = { "", "/items", "/items/", "/a/b/" }
local users, count = {}, 2000
local asked = {}

function init(args)
  kind, routes = args[1], tonumber(args[2] or "200")
  visited = math.max(1, math.min(routes, 200))
  stride = math.max(1, math.floor(routes / 200))
  if stride > 1 and stride % 2 == 0 then stride = stride - 1 end
  math.randomseed(os.time() * 1000 + math.floor(os.clock() * 1000000))
  if kind == "browser" then
    for i = 1, count do
      users[i] = table.concat({
        " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: ", agents[i % 3 + 1],
        "\r\nAccept: application/json, text/plain, */*\r\nAccept-Language: ", languages[i % 3 + 1],
        "\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://shop.example/catalogue?page=", i % 40,
        "\r\nConnection: keep-alive\r\nCookie: session=", string.format("%08x%08x", math.random(0, 2147483647), math.random(0, 2147483647)),
        "; figway_id=", string.format("%08x%08x%08x", i * 2654435761 % 4294967296, math.random(0, 2147483647), i),
        "\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin",
        "\r\nCache-Control: no-cache\r\nPriority: u=4\r\ntraceparent: 00-4bf92f3577b34da6" })
    end
    return
  end
  if kind == "graphql" then
    local fields = string.rep(" item { id name price { amount currency } stock }", 14)
    for _, name in ipairs({ "GetCart", "GetUser" }) do
      local body = string.format('{"operationName":"%s","variables":{"id":"%s"},"query":"query %s($id: ID!) { node(id: $id) {%s } }"}',
        name, string.rep("7", 60), name, fields)
      asked[#asked + 1] = wrk.format("POST", "/graphql", { ["Host"] = "shop.example", ["Content-Type"] = "application/json" }, body)
    end
    return
  end
  local path = (kind == "plain" or kind == "post") and "/plain" or "/" .. kind .. (kind == "slow" and "/x" or "")
  if kind == "post" then
    fixed = wrk.format("POST", path, { ["Host"] = "shop.example", ["Content-Type"] = "application/json" },
      string.rep("x", 4096))
  else
    fixed = wrk.format("GET", path, { ["Host"] = "shop.example" })
  end
end

local turn = 0
function request()
  if fixed then return fixed end
  turn = turn + 1
  if #asked > 0 then return asked[turn % #asked + 1] end
  local route = math.random(0, visited - 1) * stride
  local shape = route % 4
  local tail = tails[shape + 1]
  if shape > 1 then tail = tail .. turn end
  return "GET /api/v1/resource-" .. route .. "/" .. (100000 + turn) .. tail
    .. users[turn % count + 1]
    .. string.format("%08x%08x-%08x%08x-01\r\n\r\n", math.random(0, 2147483647), turn, math.random(0, 2147483647), turn)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"seconds":%.4f,"bytes":%d,"errors":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
