"""How requests go out, behind one port: pooled HTTP/1.1, signed or not; Lambda's Invoke; messages,
events and executions that requests are handed on as."""
