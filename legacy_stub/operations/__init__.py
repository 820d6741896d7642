"""Operations inside one path: SOAP, GraphQL and JSON-RPC, as the shop's partners speak to it."""
