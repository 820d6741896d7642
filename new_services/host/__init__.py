"""A local function host: AWS Lambda's Invoke API over real runtime clients on this machine."""
