"""What must hold of a table before it is saved or served, as findings with stable codes.

table       holds a whole table to what its fields may mean: the way in
findings, codes
            a finding, and the codes that tools rely on
ranges, sizes
            what single fields must keep to, and how much may stand in them
route, methods, operations, reads, policies, comparison, faults, caching
            what must hold of a route
url, address, members, references, aws, stream
            what must hold of a backend
"""
