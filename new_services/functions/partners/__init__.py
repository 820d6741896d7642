"""Operations that partners call inside one path: one function an operation."""
