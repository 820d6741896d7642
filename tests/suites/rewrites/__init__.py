"""Real rewrites of real servers, as a migration meets them: `make rewrites`.

Each pair of servers is asked directly, and what differs is listed without any code of Figway's. A
route through Figway must then tell each of it by name, and nothing else.
"""
