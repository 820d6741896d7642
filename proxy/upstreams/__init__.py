"""How requests go out: pooled HTTP/1.1 and Lambda's Invoke, behind one port."""
